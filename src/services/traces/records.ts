// What traces are made of: the keys of their entries, values as canonical JSON, and how what two writers put in one place is joined. Pure functions
// over plain data; knows no venue.
import { TidemarkError, ValueError } from '../../base/errors';

/**
 * What stands in one place: an id made at the time of writing, and the value. More than one only where writers that had not heard of each other
 * wrote different values; the first one counts.
 */
export type Claims<T = unknown> = readonly (readonly [at: string, value: T])[];

/** Ends a trace's id in a key. */
const end = '\u0000';
/** Six digits of base 36. */
const stepMax = 36 ** 6 - 1;
/** Deeper is a cycle, or refused by the venue. */
const depthMax = 1000;

/** What is recorded of a trace, in key order: its envelopes by step and node, its interventions by time. */
export const recordsPrefix = (traceId: string): string => traceId + end;
export const stepsPrefix = (traceId: string): string => `${traceId}${end}e`;
export const stepKey = (traceId: string, step: number, nodeId?: string): string =>
  stepsPrefix(traceId) + step.toString(36).padStart(6, '0') + (nodeId === undefined ? '' : end + nodeId);
export const interventionKey = (traceId: string, id: string): string => `${traceId}${end}i${id}`;
export const traceOf = (key: string): string => key.slice(0, key.indexOf(end));

/** Where an envelope stands, from what comes after the prefix in its key. */
export const placeOf = (rest: string): { step: number; nodeId?: string } => ({
  step: Number.parseInt(rest.slice(1, 7), 36),
  ...(rest.length > 7 && { nodeId: rest.slice(8) }),
});

export const badOption = (why: string): TidemarkError => new TidemarkError('bad_option', why);

/** @throws TidemarkError `bad_option` */
export function checkTraceId(traceId: unknown): void {
  if (typeof traceId !== 'string' || traceId === '' || traceId.includes(end))
    throw badOption('a trace id is a text, not empty, without NUL');
}

/** @throws TidemarkError `bad_option` */
export function checkStep(step: number, most = stepMax): void {
  if (!(Number.isInteger(step) && step >= 0 && step <= most))
    throw badOption(`step ${step} is not within 0 and ${most}`);
}

/** A copy whose objects have their keys in order, so that values are equal exactly if their texts are. @throws ValueError for what is neither JSON nor nothing */
export function canonical(value: unknown, path: string, depth = 0): unknown {
  if (value == null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (Number.isFinite(value)) return (value as number) + 0; // JSON has no -0
  const inner = (member: unknown, key: number | string) => canonical(member, `${path}.${key}`, depth + 1);
  if (typeof value === 'object' && depth < depthMax) {
    if (Array.isArray(value)) return value.map((member, i) => inner(member ?? null, i));
    const prototype = Object.getPrototypeOf(value);
    // A literal's, also another realm's.
    if (!prototype || !Object.getPrototypeOf(prototype)) {
      const members = Object.entries(value).filter(([, member]) => member !== undefined);
      return Object.fromEntries(
        members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, inner(member, key)]),
      );
    }
  }
  throw new ValueError(`${path.slice(0, 80)} is not JSON`);
}

/** Equal for equal values, if both are canonical. */
export const textOf = (value: unknown): string => JSON.stringify(value) ?? '';

/** Both sides' claims, each value once, at the time it was first claimed; in order of time. */
export function joinClaims<T>(a: Claims<T>, b: Claims<T>): Claims<T> {
  const first = new Map<string, Claims<T>[number]>();
  for (const claim of [...a, ...b]) {
    const text = textOf(claim[1]);
    const held = first.get(text);
    if (!held || claim[0] < held[0]) first.set(text, claim);
  }
  return [...first].sort(([x, [p]], [y, [q]]) => (p < q || (p === q && x < y) ? -1 : 1)).map(([, claim]) => claim);
}
