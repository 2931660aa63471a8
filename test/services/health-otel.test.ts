// The same metrics through OpenTelemetry's own SDK: they say what Prometheus is told.
import { AggregationTemporality, DataPointType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { describe, expect, it } from 'vitest';
import { instrument } from '../../src/services/health';
import type { Venue } from '../../src/venue';
import { openIn, settle } from '../venue/helpers';
import { scraper, work } from './health-scrape';

class Reader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  }
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

describe('OpenTelemetry', () => {
  const begin = (venue: Venue) => {
    const reader = new Reader();
    const meter = new MeterProvider({ readers: [reader] }).getMeter('test');
    const end = instrument(venue, meter);
    const collect = async () => {
      const { resourceMetrics, errors } = await reader.collect();
      expect(errors).toEqual([]);
      return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics).filter((m) => m.dataPoints.length > 0);
    };
    return { end, collect };
  };

  it('says of a venue what Prometheus is told', async () => {
    const opened = await openIn();
    const { collect } = begin(opened.venue);
    const scrape = scraper(opened.venue);
    await work(opened);
    await scrape();
    await settle(); // the size of the store is known from now on
    const { families, value } = await scrape();
    const metrics = await collect();
    const seen = new Set(['tidemark_info']);
    for (const { descriptor, dataPoints, dataPointType } of metrics) {
      const unit = { s: '_seconds', By: '_bytes' }[descriptor.unit] ?? '';
      const counts = dataPointType === DataPointType.SUM ? '_total' : '';
      const name = `${descriptor.name.replaceAll('.', '_')}${unit}${counts}`;
      seen.add(name);
      const family = families.get(name);
      expect(family?.help, name).toBe(descriptor.description);
      const attributes = { 'tidemark.venue': opened.venue.health().venue };
      if (dataPointType === DataPointType.HISTOGRAM) {
        const [{ value: histogram, attributes: own } = { value: undefined, attributes: {} }] = dataPoints;
        const { count, sum, buckets } = family!.metrics[0]!;
        expect([histogram!.count, histogram!.sum, own]).toEqual([Number(count), Number(sum), attributes]);
        const bounds = Object.keys(buckets!).filter((bound) => bound !== '+Inf');
        expect(histogram!.buckets.boundaries).toEqual(bounds.map(Number).sort((a, b) => a - b));
      } else if (name === 'tidemark_status') {
        const told = dataPoints.map((point) => [point.attributes['tidemark.status'], point.value]);
        expect(told).toEqual(family!.metrics.map(({ labels, value }) => [labels!.status, Number(value)]));
      } else {
        expect([name, dataPoints[0]!.value]).toEqual([name, value(name)]);
        expect(dataPoints[0]!.attributes).toEqual(attributes);
      }
    }
    expect([...families.keys()].filter((name) => !seen.has(name))).toEqual([]);
  });

  it('is told of two venues apart', async () => {
    const [one, two] = [await openIn(), await openIn()];
    const reader = new Reader();
    const meter = new MeterProvider({ readers: [reader] }).getMeter('test');
    instrument(one.venue, meter);
    instrument(two.venue, meter);
    await work(two);
    const { resourceMetrics } = await reader.collect();
    const sweeps = resourceMetrics.scopeMetrics[0]!.metrics.find(({ descriptor }) =>
      descriptor.name.endsWith('sweeps'),
    );
    expect(sweeps!.dataPoints.map(({ value, attributes }) => [attributes['tidemark.venue'], value])).toEqual([
      [one.venue.health().venue, 0],
      [two.venue.health().venue, 2],
    ]);
  });

  it('reports a closed venue as closed', async () => {
    const { venue, clock } = await openIn();
    const { collect } = begin(venue);
    await clock.runUntil(venue.close());
    const status = (await collect()).find(({ descriptor }) => descriptor.name === 'tidemark.status')!;
    expect(status.dataPoints.find(({ value }) => value === 1)!.attributes['tidemark.status']).toBe('closed');
  });

  it('is told nothing more once it is ended', async () => {
    const opened = await openIn();
    const { collect, end } = begin(opened.venue);
    await work(opened);
    const values = async () => {
      const pairs = (await collect()).map(({ descriptor, dataPoints }) => [descriptor.name, dataPoints[0]!.value]);
      return Object.fromEntries(pairs) as Record<string, { count: number }>;
    };
    await values();
    await settle();
    const before = await values();
    expect(before).toMatchObject({ 'tidemark.sweeps': 2, 'tidemark.sweep.duration': { count: 2 } });
    end();
    await work(opened);
    expect(await values()).toEqual(before);
    end();
  });
});
