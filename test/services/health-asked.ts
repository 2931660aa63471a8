// What the tests of health over HTTP share: a venue's handler, asked as a client asks.
import { expect } from 'vitest';
import { type HealthView, type HttpError, healthHandler } from '../../src/services/health';
import type { Venue } from '../../src/venue';

export const origin = 'http://127.0.0.1';

export async function ask(venue: Venue, path: string, init: RequestInit = {}) {
  const response = await healthHandler(venue)(new Request(origin + path, init));
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

export async function askJson<T>(venue: Venue, path: string) {
  const { status, headers, text } = await ask(venue, path);
  expect(headers.get('content-type')).toBe('application/json');
  return { status, body: JSON.parse(text) as T & HttpError };
}

export const askHealth = (venue: Venue) => askJson<HealthView>(venue, '/api/v1/health');
