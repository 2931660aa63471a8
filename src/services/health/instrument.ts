// The same numbers for OpenTelemetry: instruments of a meter that is handed in. Knows the few calls of a meter that it needs, and no package.
import type { Venue } from '../../venue';
import { durationHelp, metrics, statuses, statusHelp } from './metrics';
import { boundsSeconds, recorderOf, timed } from './recorder';

interface InstrumentOptions {
  description: string;
  unit: string;
  advice?: { explicitBucketBoundaries: number[] };
}
type Attributes = Record<string, string>;
type Observe = (result: { observe(instrument: never, value: number, attributes?: Attributes): void }) => void;

/** What is needed of a `Meter` of @opentelemetry/api, 1.3 or later. */
export interface Meter {
  createObservableGauge(name: string, options: InstrumentOptions): unknown;
  createObservableCounter(name: string, options: InstrumentOptions): unknown;
  createHistogram(name: string, options: InstrumentOptions): { record(value: number, attributes?: Attributes): void };
  addBatchObservableCallback(callback: Observe, instruments: never[]): void;
  removeBatchObservableCallback(callback: Observe, instruments: never[]): void;
}

/**
 * Reports a venue's metrics through a meter, each with the attribute `tidemark.venue`, until the function that it returns is called.
 * Prometheus' names and OpenTelemetry's are in docs/operations.md.
 */
export function instrument(venue: Venue, meter: Meter): () => void {
  const seen = recorderOf(venue);
  const attributes = { 'tidemark.venue': venue.health().venue };
  const status = meter.createObservableGauge('tidemark.status', { description: statusHelp, unit: '{status}' }) as never;
  const observed = metrics.map(([kind, name, unit, help, read]) => {
    const options = { description: help, unit };
    const full = `tidemark.${name}`;
    const made =
      kind === 'counter' ? meter.createObservableCounter(full, options) : meter.createObservableGauge(full, options);
    return { instrument: made as never, read };
  });
  const observe: Observe = (result) => {
    seen.measure();
    const health = venue.health();
    for (const word of statuses) {
      result.observe(status, Number(word === health.status), { ...attributes, 'tidemark.status': word });
    }
    for (const { instrument, read } of observed) {
      const value = read(health, seen);
      if (value !== undefined) result.observe(instrument, value, attributes);
    }
  };
  const instruments = [status, ...observed.map(({ instrument }) => instrument)];
  const ends = timed.map((what) => {
    const histogram = meter.createHistogram(`tidemark.${what}.duration`, {
      description: durationHelp,
      unit: 's',
      advice: { explicitBucketBoundaries: [...boundsSeconds] },
    });
    return venue.on(what, ({ tookMs }) => histogram.record(tookMs / 1000, attributes));
  });
  meter.addBatchObservableCallback(observe, instruments);
  return () => {
    meter.removeBatchObservableCallback(observe, instruments);
    for (const end of ends) end();
  };
}
