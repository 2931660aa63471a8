// validate: any Standard Schema, asked at set() and at load. What does not fit is kept and reported, never dropped.
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { StandardSchema } from '../../src/node';
import { openIn, settle } from './helpers';

interface Note {
  title: string;
  stars: number;
}

const schemas: Record<string, StandardSchema<Note>> = {
  zod: z.object({ title: z.string().min(1), stars: z.number().int().max(5) }),
  valibot: v.object({
    title: v.pipe(v.string(), v.minLength(1)),
    stars: v.pipe(v.number(), v.integer(), v.maxValue(5)),
  }),
};

/** A store with entries of all sorts in region "notes", half of them in a checkpoint. */
async function storeOf(entries: Record<string, unknown>) {
  const { venue, store, clock } = await openIn({ exclusive: true });
  const region = venue.region('notes');
  const keys = Object.keys(entries);
  for (const key of keys.slice(0, keys.length / 2)) region.set(key, entries[key]);
  await venue.checkpoint();
  for (const key of keys.slice(keys.length / 2)) region.set(key, entries[key]);
  await venue.close();
  return (options = {}) => openIn({ store, clock, exclusive: true }, options);
}

describe.each(Object.entries(schemas))('validate with %s', (_, validate) => {
  it('takes what fits', async () => {
    const { venue } = await openIn();
    const notes = venue.region('notes', { validate });
    notes.set('a', { title: 'Hello', stars: 5 });
    expect(notes.get('a')).toEqual({ title: 'Hello', stars: 5 });
  });

  it('refuses the rest at set(), update() and in a fork, naming region, key and where in the value', async () => {
    const { venue } = await openIn();
    const notes = venue.region('notes', { validate });
    notes.set('a', { title: 'Hello', stars: 1 });
    for (const bad of [
      { title: 'x', stars: 'five' },
      { title: 'x', stars: 6 },
    ]) {
      const refused = expect.objectContaining({
        code: 'invalid_value',
        message: expect.stringMatching(/'notes'.*'a'.*stars/),
      });
      expect(() => notes.set('a', bad as never)).toThrow(refused);
      expect(() => notes.update('a', () => bad as never)).toThrow(refused);
      expect(() => venue.fork().region('notes').set('a', bad)).toThrow(refused);
    }
    expect(() => notes.set('a', null as never)).toThrow(expect.objectContaining({ code: 'invalid_value' }));
    expect(notes.get('a')).toEqual({ title: 'Hello', stars: 1 });
  });

  it('hides what does not fit at load, reports it with region and key, and loads the rest', async () => {
    const reopen = await storeOf({
      bad1: { title: '', stars: 1 },
      good1: { title: 'a', stars: 1 },
      bad2: 'no object',
      good2: { title: 'b', stars: 2 },
    });
    const { venue, logs, backend, store } = await reopen();
    const notes = venue.region('notes', { validate });
    expect([...notes].map(([key]) => key)).toEqual(['good1', 'good2']);
    expect([notes.size, notes.get('bad1'), notes.has('bad2'), notes.delete('bad1')]).toEqual([
      2,
      undefined,
      false,
      false,
    ]);
    const { recovery, status } = venue.health();
    expect(recovery.quarantined.map(({ region, key }) => [region, key]).sort()).toEqual([
      ['notes', 'bad1'],
      ['notes', 'bad2'],
    ]);
    for (const { why } of recovery.quarantined) expect(why).not.toBe('');
    expect(status).toBe('degraded');
    expect(logs.warnings.filter((line) => line.includes("'bad1'"))).toHaveLength(1);
    await settle();
    expect(backend.calls.filter((name) => name === 'quarantine')).toHaveLength(2);
    const kept = store.quarantined().map(({ bytes }) => new TextDecoder().decode(bytes));
    expect(kept.join()).toContain('no object');
    await venue.close();
  });

  it('keeps what does not fit: a schema that is mended brings it back, also over checkpoints', async () => {
    const reopen = await storeOf({ x: { title: '', stars: 1 }, y: { title: 'y', stars: 9 } });
    for (let i = 0; i < 2; i++) {
      const { venue } = await reopen();
      expect([...venue.region('notes', { validate })].map(([key]) => key)).toEqual(['more0'].slice(0, i));
      venue.region('notes').set(`more${i}`, { title: 'more', stars: 1 });
      await venue.checkpoint();
      await venue.close();
    }
    const { venue } = await reopen();
    expect(Object.fromEntries(venue.region('notes'))).toMatchObject({
      x: { title: '', stars: 1 },
      y: { title: 'y', stars: 9 },
    });
    expect(venue.health()).toMatchObject({ status: 'ok', recovery: { quarantined: [] } });
    await venue.close();
  });

  it('may write over what does not fit', async () => {
    const reopen = await storeOf({ x: 'bad', y: 'bad too' });
    const first = await reopen();
    const notes = first.venue.region('notes', { validate });
    notes.set('x', { title: 'good', stars: 1 });
    expect([notes.size, notes.get('x')]).toEqual([1, { title: 'good', stars: 1 }]);
    await first.venue.flush();
    expect(first.venue.root.region('notes').get('x')).toEqual({ title: 'good', stars: 1 });
    await first.venue.close();
    const { venue } = await reopen();
    expect([...venue.region('notes')]).toEqual([
      ['x', { title: 'good', stars: 1 }],
      ['y', 'bad too'],
    ]);
    await venue.close();
  });

  it('asks of what comes from another writer, too', async () => {
    const a = await openIn();
    const b = await openIn({ store: a.store, clock: a.clock });
    const notes = b.venue.region('notes', { validate });
    a.venue.region('notes').set('good', { title: 'g', stars: 1 });
    a.venue.region('notes').set('bad', { title: '', stars: 1 });
    await a.venue.flush();
    await settle();
    expect([...notes].map(([key]) => key)).toEqual(['good']);
    expect(b.venue.health().recovery.quarantined).toMatchObject([{ region: 'notes', key: 'bad' }]);
    a.venue.region('notes').set('bad', { title: 'mended', stars: 1 });
    await a.venue.flush();
    await settle();
    expect([...notes].map(([key]) => key)).toEqual(['bad', 'good']);
  });
});

describe('what a schema returns is what is kept', () => {
  it('defaults and transforms at set()', async () => {
    const { venue, store, clock } = await openIn();
    const validate = z.object({
      title: z.string().trim(),
      stars: z.number().default(3),
    }) as unknown as StandardSchema<Note>;
    const notes = venue.region('notes', { validate });
    notes.set('a', { title: '  padded ' } as Note);
    expect(notes.get('a')).toEqual({ title: 'padded', stars: 3 });
    await venue.close();
    expect((await openIn({ store, clock })).venue.region('notes').get('a')).toEqual({ title: 'padded', stars: 3 });
  });

  it('defaults at load, wherever the entry comes from', async () => {
    const reopen = await storeOf({ a: { title: 'a' }, b: { title: 'b' } });
    const { venue } = await reopen();
    const validate = z.object({ title: z.string(), stars: z.number().default(3) }) as unknown as StandardSchema<Note>;
    const notes = venue.region('notes', { validate });
    expect([notes.get('a'), notes.get('b')]).toEqual([
      { title: 'a', stars: 3 },
      { title: 'b', stars: 3 },
    ]);
    expect(notes.size).toBe(2);
    await venue.close();
  });

  it('and must be storable itself', async () => {
    const { venue } = await openIn();
    const validate = z.string().transform((text) => new URL(text)) as unknown as StandardSchema<string>;
    expect(() => venue.region('r', { validate }).set('a', 'http://localhost')).toThrow(TypeError);
  });
});

describe('validators that are no good', () => {
  it('asynchronous ones are refused at set(), and lose nothing at load', async () => {
    const reopen = await storeOf({ a: 'kept', b: 'kept too' });
    const validate = z.string().refine(async () => true) as unknown as StandardSchema<string>;
    const plain: StandardSchema<string> = {
      '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value: value as string }) },
    };
    for (const asynchronous of [validate, plain]) {
      const { venue } = await reopen();
      try {
        const region = venue.region('notes', { validate: asynchronous });
        expect(() => region.set('c', 'x')).toThrow(/synchronous|async/i);
      } catch (error) {
        expect(error).toMatchObject({ code: 'bad_option' });
      }
      await venue.close();
    }
    const { venue } = await reopen();
    expect([...venue.region('notes')]).toEqual([
      ['a', 'kept'],
      ['b', 'kept too'],
    ]);
    await venue.close();
  });

  it.each([{}, { '~standard': {} }, 'zod', () => true])('%j is a bad option', async (validate) => {
    const { venue } = await openIn();
    expect(() => venue.region('r', { validate: validate as never })).toThrow(
      expect.objectContaining({ code: 'bad_option' }),
    );
  });

  it('one that throws is not taken for a yes, neither at set() nor at load', async () => {
    const reopen = await storeOf({ a: 1, b: 2 });
    const { venue } = await reopen();
    const validate: StandardSchema<number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => {
          if (value !== 1) throw new Error('broken on purpose');
          return { value };
        },
      },
    };
    const region = venue.region('notes', { validate });
    expect([...region]).toEqual([['a', 1]]);
    expect(() => region.set('c', 3)).toThrow('broken on purpose');
    expect([...region]).toEqual([['a', 1]]);
    expect(venue.health().recovery.quarantined).toMatchObject([
      { region: 'notes', key: 'b', why: expect.stringContaining('broken on purpose') },
    ]);
    await venue.close();
  });
});

describe('a region is declared once', () => {
  it('with the same options again it is the same region; with others it is refused', async () => {
    const { venue } = await openIn();
    const validate = schemas.zod!;
    const region = venue.region('r', { validate, join: 'lww' });
    expect(venue.region('r', { validate, join: 'lww' })).toBe(region);
    expect(venue.region('r')).toBe(region);
    expect(() => venue.region('r', { validate, join: 'lww', ttl: 5 })).toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.stringContaining("'r'") }),
    );
    expect(() => venue.region('r', { validate: schemas.valibot! })).toThrow(
      expect.objectContaining({ code: 'bad_option' }),
    );
  });

  it('may be looked at before it is declared', async () => {
    const reopen = await storeOf({ a: { title: '', stars: 1 }, b: { title: 'b', stars: 1 } });
    const { venue } = await reopen();
    const early = venue.region('notes');
    expect(early.size).toBe(2);
    const region = venue.region('notes', { validate: schemas.zod! });
    expect(region).toBe(early);
    expect([...early].map(([key]) => key)).toEqual(['b']);
    await venue.close();
  });

  it.each([
    { join: 'newest' },
    { version: 0 },
    { version: 1.5 },
    { version: '2' },
    { migrate: 'x' },
    { ttl: 0 },
    { ttl: -1 },
    { ttl: Number.NaN },
  ])('%j is refused and declares nothing', async (options) => {
    const { venue } = await openIn();
    expect(() => venue.region('r', options as never)).toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.stringContaining("'r'") }),
    );
    venue.region('r', { ttl: 1000 }).set('a', 1);
    expect(venue.region('r').get('a')).toBe(1);
  });
});
