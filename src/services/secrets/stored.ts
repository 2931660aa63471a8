// What is stored of secrets and of their keys, and what opens it. Entries are read with care: whoever can write the store may have written anything.
// Every region joins by the greater entry, so that tabs and programs that never open secrets agree, too.
import type { Bytes } from '../../base/bytes';
import type { ForkedVenue, Region, Venue } from '../../venue';
import { type Bound, seal, unseal } from './box';
import type { Key } from './key';

/**
 * What stands under the name of a secret. Version and era are ms since 1970, at least one more than of what they follow; of 13 digits each, so that
 * entries compare as their texts do.
 */
type Entry = readonly [version: number, era: number, keyId: string, box: Uint8Array];
/** The key that all is to be encrypted under. Its era grows whenever another one takes its place. */
export type Present = readonly [era: number, keyId: string];
/** A key before it, under its id: its data key in a box of the present one; and since when it is not the present one. */
type Past = readonly [era: number, keyId: string, since: number, box: Uint8Array];

const presentName = 'present';
const [timeMin, timeMax] = [1e12, 1e13 - 1];
/** A key that nothing names is kept for so long, because a tab that was frozen may still write a secret under it. As for tombstones. */
const pastMsMax = 30 * 24 * 3600 * 1000;
/** A rekey is one commit, which a fork limits to 32 MiB, encoded: what exceeds this stays under its key, which is kept. */
const rekeyBytesMax = 16 * 1024 * 1024;

/** Later than `before`; now, if that is later still. */
export const timeAfter = (before: number, now: number): number => Math.max(timeMin, Math.floor(now), before + 1);

const isTime = (x: unknown): x is number =>
  Number.isSafeInteger(x) && timeMin <= (x as number) && (x as number) <= timeMax;
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** What boxes are bound to; `/1` is the version of this format. */
const boundOf = (what: 'secret' | 'key', name: string, said: readonly unknown[]): Bound => [
  'tidemark.secrets/1',
  what,
  name,
  ...said.slice(0, 3),
];

export class Stored {
  readonly secrets: Region<unknown>;
  /** By name: the version of the secret there. An entry of its own, so that another one put in its place shows. */
  private readonly versions: Region<unknown>;
  private readonly keys: Region<unknown>;
  /** The last version given here: also what is deleted and set again at once has another. */
  private last = 0;

  constructor(private readonly venue: Venue) {
    const options = { join: 'max', critical: true } as const;
    this.secrets = venue.region('tidemark.secrets', options);
    this.versions = venue.region('tidemark.secrets.versions', options);
    this.keys = venue.region('tidemark.secrets.keys', options);
  }

  /** Undefined where none has been used yet. */
  present(): Present | undefined {
    const [era, id] = listOf(this.keys.get(presentName));
    if (isTime(era) && typeof id === 'string') return [era, id];
    // Where it is lost the newest secret says the same.
    let newest: Present | undefined;
    for (const [name] of this.secrets) {
      const entry = this.entry(name);
      if (entry && !(newest && newest[0] >= entry[1])) newest = [entry[1], entry[2]];
    }
    return newest;
  }

  /** Undefined also if what stands there is none. */
  private entry(name: string): Entry | undefined {
    const entry = listOf(this.secrets.get(name));
    const [version, era, id] = entry;
    return isTime(version) && isTime(era) && typeof id === 'string' ? (entry as unknown as Entry) : undefined;
  }

  /** The content of a secret; undefined if it does not open. `keyId`: what it says that it is encrypted under. */
  open(name: string, key: Key): { plain: Bytes | undefined; keyId: string | undefined } {
    const entry = this.entry(name);
    if (!entry) return { plain: undefined, keyId: undefined };
    const [version, , keyId, box] = entry;
    const stated = this.versions.get(name);
    const data = isTime(stated) && stated !== version ? undefined : this.dataKey(keyId, key);
    const plain = data && unseal(data, box, boundOf('secret', name, entry));
    if (data !== key.data) data?.fill(0);
    return { plain, keyId };
  }

  private dataKey(id: string, key: Key): Bytes | undefined {
    if (id === key.id) return key.data;
    const past = listOf(this.keys.get(id));
    return past[1] === key.id ? unseal(key.wrap, past[3], boundOf('key', id, past)) : undefined;
  }

  /** Writes a secret, whatever stands there, and that `key` is the present one. Wipes `plain`. */
  put(name: string, plain: Bytes, key: Key, era: number): void {
    const { secrets, versions, keys, venue } = this;
    const [entry, stated] = [this.entry(name), versions.get(name)];
    let before = Math.max(entry?.[0] ?? 0, isTime(stated) ? stated : 0);
    // Not of ours: nothing would be greater.
    if (before >= timeMax || secrets.has(name) !== (entry !== undefined) || versions.has(name) !== isTime(stated)) {
      secrets.delete(name);
      versions.delete(name);
      before = 0;
    }
    this.last = timeAfter(Math.max(before, this.last), venue.clock.now());
    const said = [this.last, era, key.id] as const;
    this.commit((fork) => {
      const box = seal(key.data, plain, boundOf('secret', name, said));
      fork.region(secrets.name).set(name, [...said, box]);
      fork.region(versions.name).set(name, said[0]);
      if (listOf(keys.get(presentName))[1] !== key.id) fork.region(keys.name).set(presentName, [era, key.id]);
    });
  }

  delete(name: string): boolean {
    let was = false;
    this.commit((fork) => {
      was = fork.region(this.secrets.name).delete(name);
      fork.region(this.versions.name).delete(name);
    });
    return was;
  }

  /** Makes `next` the present key, in one commit: encrypts all that opens anew, and keeps the keys before it in boxes of its own. */
  rekey(key: Key, next: Key, era: number): void {
    const now = Math.floor(this.venue.clock.now());
    this.commit((fork) => {
      const [secrets, keys] = [fork.region(this.secrets.name), fork.region(this.keys.name)];
      const named = new Set<unknown>();
      let room = rekeyBytesMax;
      for (const [name, value] of this.secrets) {
        const { plain, keyId } = this.open(name, key);
        room -= 200 + 3 * name.length + (plain?.length ?? 0); // about what the entry around it takes
        if (plain && room > 0) {
          const said = [listOf(value)[0], era, next.id];
          secrets.set(name, [...said, seal(next.data, plain, boundOf('secret', name, said))]);
        } else {
          plain?.fill(0);
          named.add(keyId);
        }
      }
      const keep = (id: string, since: number, data: Bytes) => {
        const said = [era, next.id, since];
        keys.set(id, [...said, seal(next.wrap, data, boundOf('key', id, said))]);
      };
      for (const [id, value] of this.keys) {
        const data = id === presentName || id === key.id ? undefined : this.dataKey(id, key);
        if (!data) continue;
        const since = (value as Past)[2];
        if (id === next.id || (now - since > pastMsMax && !named.has(id))) keys.delete(id);
        else keep(id, since, data);
      }
      keep(key.id, now, key.data.slice());
      keys.set(presentName, [era, next.id]);
    });
  }

  private commit(write: (fork: ForkedVenue) => void): void {
    const fork = this.venue.fork();
    try {
      write(fork);
      fork.sync();
    } catch (error) {
      fork.drop();
      throw error;
    }
  }
}
