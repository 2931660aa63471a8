// Metrics of a venue as Prometheus' text, read by a parser that is not ours.
import { describe, expect, it, vi } from 'vitest';
import { memoryStore } from '../../backends/memory';
import { diskError, openIn, settle } from '../venue/helpers';
import { newOrigin, openTab } from '../venue/pages';
import { scraper, work } from './health-scrape';

describe('/metrics', () => {
  it('is text in the exposition format 0.0.4, with help and a type for each metric', async () => {
    const opened = await openIn();
    const scrape = scraper(opened.venue);
    await work(opened);
    const { response, text, families } = await scrape();
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text.endsWith('\n')).toBe(true);
    expect(families.size).toBeGreaterThan(15);
    for (const { name, help, type } of families.values()) {
      expect(name).toMatch(/^tidemark_[a-z_]+$/);
      expect(help.length).toBeGreaterThan(10);
      expect(['GAUGE', 'COUNTER', 'HISTOGRAM']).toContain(type);
      expect(name.endsWith('_total')).toBe(type === 'COUNTER');
    }
    // Each family once: its help, its type, its samples, in this order.
    const heads = text.split('\n').filter((line) => line.startsWith('#'));
    expect(heads).toEqual(
      [...families.values()].flatMap(({ name, help, type }) => [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type.toLowerCase()}`,
      ]),
    );
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) |[a-z_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? (\d+(\.\d+)?)$)/);
  });

  it('counts sweeps, failures, checkpoints, entries and bytes', async () => {
    const opened = await openIn();
    const scrape = scraper(opened.venue);
    const before = await scrape();
    expect(before.value('tidemark_sweeps_total')).toBe(0);
    await work(opened);
    const { value } = await scrape();
    const lines = opened.backend.appends.filter(({ line }, i, all) => all.findIndex((a) => a.line === line) === i);
    expect([
      value('tidemark_sweeps_total'),
      value('tidemark_failures_total'),
      value('tidemark_checkpoints_total'),
      value('tidemark_sweep_entries_total'),
      value('tidemark_sweep_size_bytes_total'),
    ]).toEqual([2, 1, 1, 3, lines.reduce((sum, { line }) => sum + line.length, 0)]);
  });

  it('measures what is unsaved in entries and seconds', async () => {
    const { venue, clock } = await openIn({}, { sweepMs: 5000 });
    const scrape = scraper(venue);
    venue.region('r').set('a', 1);
    await clock.advance(1500);
    venue.region('r').set('b', 1);
    const { value } = await scrape();
    expect([value('tidemark_unsaved_entries'), value('tidemark_unsaved_age_seconds')]).toEqual([2, 1.5]);
  });

  it('has one status at a time', async () => {
    const { venue, backend, clock } = await openIn();
    const scrape = scraper(venue);
    const statuses = async () => {
      const { metrics } = (await scrape()).families.get('tidemark_status')!;
      return Object.fromEntries(metrics.map(({ labels, value }) => [labels!.status, Number(value)]));
    };
    expect(await statuses()).toEqual({ ok: 1, degraded: 0, failing: 0, closed: 0 });
    backend.instead.append = async () => {
      throw diskError('EIO');
    };
    venue.region('r').set('a', 1);
    await clock.advance(100);
    expect(await statuses()).toEqual({ ok: 0, degraded: 0, failing: 1, closed: 0 });
  });

  it('says once what it is', async () => {
    const { venue } = await openIn({ exclusive: true });
    const { families } = await scraper(venue)();
    expect(families.get('tidemark_info')?.metrics).toEqual([
      {
        value: '1',
        labels: { version: '0.1.0', format: '1', api: '1', store: 'exclusive', venue: venue.health().venue },
      },
    ]);
  });

  it('has histograms of what sweeps, flushes and checkpoints took', async () => {
    const { venue, backend, clock } = await openIn();
    const scrape = scraper(venue);
    for (const ms of [0, 3, 300, 20_000]) {
      backend.instead.append = async (pass) => {
        await new Promise<void>((resolve) => clock.process().setTimeout(resolve, ms));
        return pass();
      };
      venue.region('r').set('a', ms);
      await clock.runUntil(venue.flush());
    }
    const { families } = await scrape();
    const { buckets, count, sum } = families.get('tidemark_sweep_duration_seconds')!.metrics[0]!;
    expect([buckets, count, Number(sum)]).toEqual([
      { '0.001': '1', '0.005': '2', '0.02': '2', '0.1': '2', '0.5': '3', '2': '3', '5': '3', '+Inf': '4' },
      '4',
      20.303,
    ]);
    expect(families.get('tidemark_flush_duration_seconds')!.metrics[0]).toMatchObject({ count: '4' });
    expect(families.get('tidemark_checkpoint_duration_seconds')!.metrics[0]).toMatchObject({ count: '0', sum: '0' });
  });

  it('knows the size of the store as of the scrape before, and leaves out what nobody knows', async () => {
    const { venue, store } = await openIn();
    const scrape = scraper(venue);
    await settle();
    venue.region('r').set('a', 'x'.repeat(5000));
    await venue.flush();
    await scrape();
    await settle();
    const { value, text } = await scrape();
    expect(value('tidemark_store_size_bytes')).toBe((await venue.usage()).bytes);
    expect(value('tidemark_store_size_bytes')).toBeGreaterThan(5000);
    expect(store).toBeDefined();
    expect(text).not.toMatch(/quota|journal|NaN|undefined/);
  });

  it('goes on when the store cannot be asked how large it is', async () => {
    const { venue, backend } = await openIn();
    const scrape = scraper(venue);
    await settle();
    backend.instead.usage = async () => {
      throw diskError('EIO');
    };
    for (let i = 0; i < 3; i++) {
      expect((await scrape()).response.status).toBe(200);
      await settle();
    }
    expect(backend.calls.filter((call) => call === 'usage')).toHaveLength(4);
  });

  it('tells of the journal where there is one, and of what other tabs wrote', async () => {
    const origin = newOrigin();
    const [one, two] = [await openTab(origin), await openTab(origin)];
    const scrape = scraper(one.venue);
    two.venue.region('r').set('a', 1);
    two.venue.region('r').set('b', 1);
    await origin.clock.runUntil(two.venue.flush());
    await settle();
    const { value } = await scrape();
    expect(one.venue.region('r').get('b')).toBe(1);
    expect([value('tidemark_joined_entries_total'), value('tidemark_journal_unfit')]).toEqual([2, 0]);
    expect(value('tidemark_journal_size_bytes')).toBeGreaterThanOrEqual(0);
  });

  it.each(['evicted', 'rolledBack'] as const)('tells of a store that was %s', async (how) => {
    const { venue } = await openIn();
    const scrape = scraper(venue);
    const health = venue.health();
    vi.spyOn(venue, 'health').mockReturnValue({ ...health, recovery: { ...health.recovery, [how]: true } });
    expect((await scrape()).value('tidemark_recovery_lost')).toBe(1);
  });

  it('tells what opening found', async () => {
    const store = memoryStore();
    const first = await openIn({ store });
    first.venue.region('n').set('a', 1);
    await first.venue.flush();
    first.kill();
    const { venue } = await openIn({ store, clock: first.clock });
    const refuse = { version: 1 as const, vendor: 'test', validate: () => ({ issues: [{ message: 'no' }] }) };
    venue.region('n', { validate: { '~standard': refuse } });
    const { value } = await scraper(venue)();
    expect([
      value('tidemark_hidden_entries'),
      value('tidemark_recovery_damage'),
      value('tidemark_recovery_torn_bytes'),
      value('tidemark_recovery_lost'),
    ]).toEqual([1, 0, 0, 0]);
    expect(value('tidemark_recovery_duration_seconds')).toBeGreaterThanOrEqual(0);
  });
});
