// Bytes outside memory, as a program sees them: there once put() has resolved, the right ones or an error, and kept as long as anything names them.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type MemoryStore, memoryBackend, memoryStore } from '../../backends/memory';
import type { Bytes } from '../../src/backend';
import type { BlobRef, BlobSource } from '../../src/engine/blobs';
import type { FailureInfo } from '../../src/engine/events';
import type { Venue } from '../../src/node';
import { SimClock } from '../simulator/clock';
import { gate, openIn, settle } from './helpers';

const dayMs = 24 * 3600 * 1000;
const bytesOf = (text: string): Bytes => new TextEncoder().encode(text) as Bytes;
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Stores a text and names it under a key. */
const putUnder = (venue: Venue, key: string, text: string): Promise<BlobRef> =>
  venue.blobs.put(bytesOf(text), ({ hash }) => venue.region('files').set(key, { hash }));

/** Flips a bit of a stored blob. */
async function flip(store: MemoryStore, hash: string, change: (bytes: Bytes) => Bytes): Promise<void> {
  const { blobs } = memoryBackend(store);
  const parts: Bytes[] = [];
  for await (const slab of (await blobs!.get(hash))!.stream()) parts.push(slab);
  const changed = change(parts[0]!);
  async function* pieces() {
    yield changed;
  }
  await blobs!.put(
    pieces(),
    async () => hash,
    () => 0,
  );
}

const readAll = async (pieces: AsyncIterable<Bytes> | undefined): Promise<string> => {
  let text = '';
  for await (const piece of pieces ?? []) text += new TextDecoder().decode(piece);
  return text;
};

describe('a blob', () => {
  const big = new Uint8Array(2_500_000).map((_, at) => (at * 7) % 251) as Bytes;
  async function* iterable(): AsyncGenerator<Uint8Array> {
    yield big.subarray(0, 1000);
    yield big.subarray(1000);
  }
  const sources: [string, () => BlobSource][] = [
    ['bytes', () => big],
    ['an async iterable', iterable],
    ['an array of pieces', () => [big.subarray(0, 10), big.subarray(10)]],
    ['a ReadableStream', () => new Blob([big]).stream()],
  ];

  it.each(sources)('made of %s has the SHA-256 of its bytes as its name, and gives them back', async (_, source) => {
    const { venue } = await openIn();
    const seen: BlobRef[] = [];
    const blob = await venue.blobs.put(source(), (named) => seen.push(named));
    expect(blob).toEqual({ hash: hashOf(big), size: big.length });
    expect(seen).toEqual([blob]);
    expect(await venue.blobs.size(blob.hash)).toBe(big.length);
    expect(Buffer.compare((await venue.blobs.get(blob.hash))!, big)).toBe(0);
    const hash = createHash('sha256');
    for await (const piece of (await venue.blobs.stream(blob.hash))!) hash.update(piece);
    expect(hash.digest('hex')).toBe(blob.hash);
    await venue.close();
  });

  it('may be empty, and is undefined where there is none', async () => {
    const { venue } = await openIn();
    const { hash, size } = await venue.blobs.put(new Uint8Array(0), () => undefined);
    expect([hash, size]).toEqual([hashOf(new Uint8Array(0)), 0]);
    expect((await venue.blobs.get(hash))?.length).toBe(0);
    const none = 'f'.repeat(64);
    expect([await venue.blobs.get(none), await venue.blobs.stream(none), await venue.blobs.size(none)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await venue.close();
  });

  it('is durable before it is named', async () => {
    const { venue, store, backend } = await openIn();
    const { opened, open } = gate();
    const { put } = backend.blobs!;
    Object.assign(backend.blobs!, {
      put: async (...call: Parameters<typeof put>) => {
        await opened;
        return put(...call);
      },
    });
    const putting = putUnder(venue, 'a', 'slow');
    await venue.flush();
    expect(venue.region('files').has('a')).toBe(false);
    open();
    const { hash } = await putting;
    expect(venue.region('files').get('a')).toEqual({ hash });
    expect(await memoryBackend(store).blobs!.get(hash)).toBeDefined();
    await venue.close();
  });

  it('is not there, and nothing is named, when its source fails or is none', async () => {
    const { venue } = await openIn();
    const named = () => expect.unreachable('named');
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield big;
      throw new Error('the source broke');
    }
    await expect(venue.blobs.put(failing(), named)).rejects.toThrow('the source broke');
    let cancelled: unknown;
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue('text'),
      cancel: (reason) => {
        cancelled = reason ?? 'cancelled';
      },
    });
    await expect(venue.blobs.put(stream, named)).rejects.toMatchObject({ code: 'bad_option' });
    expect(cancelled).toBeDefined();
    await venue.close();
    await expect(venue.blobs.put(big, named)).rejects.toMatchObject({ code: 'closed' });
  });

  it('that is not what its name says is an error, and whole again once it is put again', async () => {
    const { venue, store } = await openIn();
    const { hash } = await putUnder(venue, 'a', 'some text');
    const changes: ((bytes: Bytes) => Bytes)[] = [
      (bytes) => bytes.map((byte, at) => (at === 3 ? byte ^ 4 : byte)) as Bytes,
      (bytes) => bytes.slice(0, -1),
      (bytes) => new Uint8Array([...bytes, 0]),
      () => new Uint8Array(0),
    ];
    for (const change of changes) {
      await flip(store, hash, change);
      await expect(venue.blobs.get(hash)).rejects.toMatchObject({
        code: 'damaged',
        message: expect.stringContaining(hash),
      });
      await expect(readAll(await venue.blobs.stream(hash))).rejects.toMatchObject({ code: 'damaged' });
      await putUnder(venue, 'a', 'some text');
      expect(await readAll(await venue.blobs.stream(hash))).toBe('some text');
    }
    await venue.close();
  });

  it('that has more bytes than were said is an error, too', async () => {
    const { venue, backend } = await openIn();
    const { hash } = await putUnder(venue, 'a', 'some text');
    const { get } = backend.blobs!;
    Object.assign(backend.blobs!, { get: async (name: string) => ({ ...(await get(name))!, size: 4 }) });
    await expect(venue.blobs.get(hash)).rejects.toMatchObject({ code: 'damaged' });
    await venue.close();
  });

  it('needs a backend that has room for it', async () => {
    const { venue, backend } = await openIn();
    Object.assign(backend, { blobs: undefined });
    await expect(putUnder(venue, 'a', 'x')).rejects.toMatchObject({ code: 'no_storage' });
    await venue.checkpoint();
    await venue.close();
  });
});

describe('a blob is kept as long as it is named', () => {
  const places: [string, (venue: Venue, hash: string) => void][] = [
    ['in a value', (venue, hash) => venue.region('r').set('k', hash)],
    ['deep in a value', (venue, hash) => venue.region('r').set('k', { list: [1, new Map([['m', { hash }]])] })],
    ['in a key', (venue, hash) => venue.region('r').set(`x/${hash}`, 1)],
    ['between other digits', (venue, hash) => venue.region('r').set('k', `0${hash}f`)],
    ['in what was there before the first checkpoint', (venue, hash) => venue.region('files').set('old', hash)],
  ];
  it.each(places)('%s', async (_, name) => {
    const { venue } = await openIn({ exclusive: true });
    const { hash } = await venue.blobs.put(bytesOf('kept'), ({ hash }) => name(venue, hash));
    for (let i = 0; i < 4; i++) {
      venue.region('other').set('n', i);
      await venue.checkpoint();
    }
    expect(await venue.blobs.size(hash)).toBe(4);
    await venue.close();
  });

  it('by the checkpoint before, too; then it goes', async () => {
    const { venue } = await openIn({ exclusive: true });
    const collected: number[] = [];
    venue.on('checkpoint', (made) => collected.push(made.collected));
    const { hash } = await putUnder(venue, 'a', 'first');
    const kept = await putUnder(venue, 'b', 'second');
    await venue.checkpoint();
    venue.region('files').delete('a');
    await venue.checkpoint();
    expect(await venue.blobs.size(hash)).toBe(5);
    await venue.checkpoint();
    expect([await venue.blobs.size(hash), await venue.blobs.size(kept.hash)]).toEqual([undefined, 6]);
    expect(collected).toEqual([0, 0, 1]);
    await venue.close();
  });

  it('though the store was closed and opened in between', async () => {
    const world = { store: memoryStore(), clock: new SimClock(), exclusive: true };
    let { venue } = await openIn(world);
    const { hash } = await putUnder(venue, 'a', 'text');
    for (let i = 0; i < 3; i++) {
      await venue.checkpoint();
      await venue.close();
      ({ venue } = await openIn(world));
    }
    expect(await venue.blobs.size(hash)).toBe(4);
    venue.region('files').delete('a');
    await venue.checkpoint();
    await venue.close();
    ({ venue } = await openIn(world));
    expect(await venue.blobs.size(hash)).toBe(4);
    await venue.checkpoint();
    expect(await venue.blobs.size(hash)).toBe(undefined);
    await venue.close();
  });

  it('when it is put, or put again, while a checkpoint is made', async () => {
    const { venue, backend } = await openIn({ exclusive: true });
    const old = await venue.blobs.put(bytesOf('old'), () => undefined);
    const { opened, open } = gate();
    venue.region('r').set('k', 1);
    backend.betweenPieces = () => opened;
    const checkpoint = venue.checkpoint();
    const puts = [putUnder(venue, 'old', 'old'), putUnder(venue, 'new', 'new')];
    open();
    const [again, fresh] = await Promise.all(puts);
    await checkpoint;
    backend.betweenPieces = undefined;
    await venue.checkpoint();
    expect(again!.hash).toBe(old.hash);
    expect([await venue.blobs.size(old.hash), await venue.blobs.size(fresh!.hash)]).toEqual([3, 3]);
    await venue.close();
  });

  it.each(['never', 'before, too,'])(
    'when it is stored and not named yet as a checkpoint is made, and was %s there',
    async (was) => {
      const { venue, backend } = await openIn({ exclusive: true });
      if (was !== 'never') await venue.blobs.put(bytesOf('slow'), () => undefined);
      const { put, list } = backend.blobs!;
      const [stored, listed] = [gate(), gate()];
      const { opened, open } = gate();
      Object.assign(backend.blobs!, {
        async put(...call: Parameters<typeof put>) {
          await put(...call);
          stored.open();
          await opened;
        },
        async list(...call: Parameters<typeof list>) {
          const found = await list(...call);
          listed.open();
          return found;
        },
      });
      let putting: Promise<BlobRef> | undefined;
      if (was === 'never') {
        putting = putUnder(venue, 'a', 'slow');
        await stored.opened;
      }
      venue.region('r').set('k', 1);
      const between = gate();
      backend.betweenPieces = () => between.opened;
      const checkpoint = venue.checkpoint();
      await listed.opened;
      putting ??= putUnder(venue, 'a', 'slow');
      await stored.opened;
      between.open();
      await checkpoint;
      open();
      const { hash } = await putting;
      expect(await venue.blobs.size(hash)).toBe(4);
      await venue.close();
    },
  );

  it('when it is put again in the very moment in which it is removed', async () => {
    const { venue, backend } = await openIn({ exclusive: true });
    const { hash } = await venue.blobs.put(bytesOf('old'), () => undefined);
    const { delete: remove } = backend.blobs!;
    const begun = gate();
    const { opened, open } = gate();
    Object.assign(backend.blobs!, {
      async delete(...call: Parameters<typeof remove>) {
        begun.open();
        await opened;
        return remove(...call);
      },
    });
    const checkpoint = venue.checkpoint();
    await begun.opened;
    const putting = putUnder(venue, 'a', 'old');
    await settle();
    open();
    await Promise.all([checkpoint, putting]);
    expect(await venue.blobs.size(hash)).toBe(3);
    await venue.close();
  });

  it('when what names it moves while a checkpoint is made, and the entry is gone from where it was', async () => {
    const { venue, backend } = await openIn({ exclusive: true });
    const files = venue.region<{ hash: string }>('files');
    const { hash } = await putUnder(venue, 'z', 'moved');
    let from = 'z';
    for (const to of ['a', 'y', 'b', 'x']) {
      for (const when of ['before', 'between', 'after'] as const) {
        const move = () => {
          const fork = venue.fork();
          fork.region<{ hash: string }>('files').set(to, { hash });
          if (from !== to) fork.region('files').delete(from);
          fork.sync();
          from = to;
        };
        if (when === 'before') move();
        backend.betweenPieces = when === 'between' ? move : undefined;
        await venue.checkpoint();
        if (when === 'after') move();
      }
    }
    await venue.checkpoint();
    await venue.checkpoint();
    expect(files.get('x')).toEqual({ hash });
    expect(await venue.blobs.size(hash)).toBe(5);
    await venue.close();
  });

  it('as long as a fork might be about to name it', async () => {
    const { venue } = await openIn({ exclusive: true });
    const { hash } = await putUnder(venue, 'a', 'text');
    const fork = venue.fork();
    fork.region('files').set('b', fork.region('files').get('a'));
    venue.region('files').delete('a');
    for (let i = 0; i < 3; i++) await venue.checkpoint();
    fork.sync();
    expect(await venue.blobs.size(hash)).toBe(4);
    venue.region('files').delete('b');
    for (let i = 0; i < 2; i++) await venue.checkpoint();
    expect(await venue.blobs.size(hash)).toBe(undefined);
    await venue.close();
  });

  it.each(['at once', 'late'])(
    'by a fork that is joined while a checkpoint is made, when the blobs are listed %s',
    async (when) => {
      const { venue, backend } = await openIn({ exclusive: true });
      const { hash } = await putUnder(venue, 'a', 'text');
      const fork = venue.fork();
      fork.region('files').set('b', fork.region('files').get('a'));
      venue.region('files').delete('a');
      for (let i = 0; i < 2; i++) await venue.checkpoint();
      const { list } = backend.blobs!;
      const { opened, open } = gate();
      if (when === 'late')
        Object.assign(backend.blobs!, {
          async list(...call: Parameters<typeof list>) {
            const found = await list(...call);
            await opened;
            return found;
          },
        });
      venue.region('r').set('k', 1);
      let joined = false;
      const join = () => {
        if (!joined) fork.sync();
        joined = true;
      };
      if (when === 'at once') backend.betweenPieces = join;
      const checkpoint = venue.checkpoint();
      await settle();
      if (when === 'late') {
        join();
        await venue.flush();
      }
      open();
      await checkpoint;
      expect(await venue.blobs.size(hash)).toBe(4);
      await venue.close();
    },
  );

  it('by somebody else, or for a day after it was put, on a store that others write', async () => {
    const world = { store: memoryStore(), clock: new SimClock() };
    const [one, other] = [await openIn(world), await openIn(world)];
    const unnamed = await one.venue.blobs.put(bytesOf('unnamed'), () => undefined);
    const named = await putUnder(one.venue, 'a', 'named by one');
    await one.venue.flush();
    for (let i = 0; i < 3; i++) await other.venue.checkpoint();
    expect(await other.venue.blobs.size(unnamed.hash)).toBe(7);
    await world.clock.advance(dayMs + 1);
    for (let i = 0; i < 2; i++) {
      other.venue.region('r').set('n', i);
      await other.venue.checkpoint();
    }
    expect(await one.venue.blobs.size(unnamed.hash)).toBe(undefined);
    expect(await one.venue.blobs.size(named.hash)).toBe(12);
    await one.venue.close();
    await other.venue.close();
  });

  it('by somebody else, of whom nothing was heard for days', async () => {
    const world = { store: memoryStore(), clock: new SimClock() };
    const [one, other] = [await openIn(world), await openIn(world)];
    other.backend.unheard = [];
    const { hash } = await putUnder(one.venue, 'a', 'unheard');
    await one.venue.flush();
    await world.clock.advance(2 * dayMs);
    other.venue.region('r').set('k', 1);
    Object.assign(other.backend, { newer: memoryBackend(world.store).newer });
    await other.venue.checkpoint();
    expect(await one.venue.blobs.size(hash)).toBe(7);
    await one.venue.close();
    await other.venue.close();
  });

  it('by a commit of somebody else that is heard of while a checkpoint is made', async () => {
    const world = { store: memoryStore(), clock: new SimClock() };
    const [one, other] = [await openIn(world), await openIn(world)];
    const { hash } = await one.venue.blobs.put(bytesOf('late'), () => undefined);
    await world.clock.advance(dayMs + 1);
    const { opened, open } = gate();
    // The chunk in which the name will stand is encoded before.
    other.venue.region('files').set('0', 1);
    other.backend.betweenPieces = () => opened;
    const checkpoint = other.venue.checkpoint();
    await settle();
    one.venue.region('files').set('a', { hash });
    await one.venue.flush();
    await expect.poll(() => other.venue.region('files').has('a')).toBe(true);
    open();
    await checkpoint;
    expect(await one.venue.blobs.size(hash)).toBe(4);
    await one.venue.close();
    await other.venue.close();
  });
});

describe('what goes wrong with a collection', () => {
  const troubles = ['list', 'delete'] as const;
  it.each(troubles)('is reported, and the checkpoint stands: %s', async (method) => {
    const { venue, backend } = await openIn({ exclusive: true });
    const failures: FailureInfo[] = [];
    venue.on('failure', (failure) => failures.push(failure));
    const { hash } = await venue.blobs.put(bytesOf('unnamed'), () => undefined);
    venue.region('r').set('k', 1);
    const { [method]: works } = backend.blobs!;
    const broken = async () => Promise.reject(new Error('no'));
    Object.assign(backend.blobs!, { [method]: broken });
    await venue.checkpoint();
    expect(failures).toMatchObject([{ reason: 'blobs', error: { message: 'no' } }]);
    expect(venue.health().checkpoints).toBe(1);
    Object.assign(backend.blobs!, { [method]: works });
    await venue.checkpoint();
    expect(await venue.blobs.size(hash)).toBe(undefined);
    await venue.close();
  });

  it('does not hold up closing', async () => {
    const { venue, backend } = await openIn({ exclusive: true });
    await venue.blobs.put(bytesOf('unnamed'), () => undefined);
    Object.assign(backend.blobs!, { delete: () => new Promise(() => {}) });
    void venue.checkpoint();
    await venue.flush();
    expect((await venue.close()).durable).toBe(true);
  });
});
