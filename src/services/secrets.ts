// Secrets: small values that are encrypted before they reach the venue, so that nothing that reads it (a copy of the store, an export, a log) reads
// them. How they are stored is secrets/'s. Knows the venue's face only.
import type { Bytes } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Venue } from '../venue';
import { called, pack, type SecretValue, unpack } from './secrets/content';
import { checkKey, type Key, kindOf, makeKey, type SecretsKey, wipe } from './secrets/key';
import { type Present, Stored, timeAfter } from './secrets/stored';
import { inTurn } from './secrets/turn';

export type { SecretsKey, SecretValue };

/**
 * The secrets of a venue, under the seed of its identity, another seed or a passphrase. Changes nothing.
 * @throws TidemarkError `foreign_key` if there are secrets and they are under another key, `bad_option`, `damaged`
 */
export async function openSecrets(venue: Venue, key: SecretsKey = {}): Promise<Secrets> {
  checkKey(key);
  const stored = new Stored(venue);
  await venue.catchUp();
  const present = stored.present();
  const wrong = (given: string) =>
    new TidemarkError(
      'foreign_key',
      `secrets: this ${given} does not open them, they are under another ${kindOf(present![1])}; nothing was changed`,
    );
  const isUsed = present !== undefined && stored.secrets.size > 0;
  if (isUsed && key.passphrase !== undefined && kindOf(present[1]) === 'seed') throw wrong('passphrase');
  const made = await makeKey(venue, key, present?.[1]);
  if (isUsed && present[1] !== made.id) {
    wipe(made);
    throw wrong(kindOf(made.id));
  }
  const era = present?.[1] === made.id ? present[0] : timeAfter(present?.[0] ?? 0, venue.clock.now());
  return new Secrets(venue, stored, made, era);
}

/**
 * See openSecrets(). What returns a promise is durable when it resolves, and rejects with TidemarkError `foreign_key` once another tab has changed
 * the key: open them again with the new one. Names are as keys of regions are, and are not encrypted.
 */
export class Secrets {
  // Private to the engine, too: what prints an object must not print a key.
  readonly #venue: Venue;
  readonly #stored: Stored;
  #key: Key;
  #era: number;
  #closed: boolean;

  /** @internal */
  constructor(venue: Venue, stored: Stored, key: Key, era: number) {
    this.#venue = venue;
    this.#stored = stored;
    this.#key = key;
    this.#era = era;
    this.#closed = venue.health().status === 'closed'; // while the key was made
    venue.on('closing', () => {
      this.#closed = true;
      wipe(this.#key);
    });
  }

  /** Text or bytes, as they were set; undefined if there is none. `previous`: the value before the last rotate(). @throws TidemarkError `damaged`, `foreign_key` */
  get(name: string, { previous = false }: { previous?: boolean } = {}): SecretValue | undefined {
    this.#open();
    return this.has(name) ? this.#values(name)[previous ? 1 : 0] : undefined;
  }

  has(name: string): boolean {
    return this.#stored.secrets.has(name);
  }

  /** Names, sorted as JavaScript compares strings. */
  list(): string[] {
    return [...this.#stored.secrets].map(([name]) => name);
  }

  /** Writes it, whatever was there. @throws ValueError for what is neither text nor bytes; TidemarkError `bad_key`, `too_large` */
  async set(name: string, value: SecretValue): Promise<void> {
    const plain = pack(name, [value]);
    await this.#change(false, () => this.#put(name, plain));
  }

  /** Of several tabs at once, one. @returns whether there was none. */
  async setIfAbsent(name: string, value: SecretValue): Promise<boolean> {
    const plain = pack(name, [value]);
    return this.#change(true, () => {
      const isAbsent = !this.has(name);
      if (isAbsent) this.#put(name, plain);
      else plain.fill(0);
      return isAbsent;
    });
  }

  /**
   * Writes a new value, or what `change` makes of the present one in the same turn, and keeps the present one as the previous until it is rotated, set
   * or deleted again. One tab at a time.
   * @throws TidemarkError `not_found`, `damaged`
   */
  async rotate(name: string, change: SecretValue | ((value: SecretValue) => SecretValue)): Promise<void> {
    if (typeof change !== 'function') pack(name, [change]).fill(0); // refused before anybody waits
    await this.#change(true, () => {
      if (!this.has(name)) throw new TidemarkError('not_found', `${called(name)}: there is none to rotate; set() it`);
      // Read twice: whoever is given the bytes may wipe them.
      const value = typeof change === 'function' ? change(this.#values(name)[0]!) : change;
      this.#put(name, pack(name, [value, this.#values(name)[0]!]));
    });
  }

  /** Also the previous value. @returns whether there was one. */
  delete(name: string): Promise<boolean> {
    return this.#change(false, () => this.#stored.delete(name));
  }

  /**
   * Encrypts all under another key; this opening goes on with it. All or nothing: after a crash either the old key opens every secret or the new one
   * does. What another tab writes at the same moment stays readable.
   * @param key a seed, or as for openSecrets(); the same passphrase makes another key
   */
  async rekey(key: SecretsKey | Uint8Array | string): Promise<void> {
    const wanted = typeof key === 'string' || key instanceof Uint8Array ? { seed: key } : key;
    checkKey(wanted);
    this.#check();
    const next = await makeKey(this.#venue, wanted, 'fresh');
    try {
      await this.#change(true, (present) => {
        if (next.id === this.#key.id) return;
        const era = timeAfter(Math.max(present?.[0] ?? 0, this.#era), this.#venue.clock.now());
        this.#stored.rekey(this.#key, next, era);
        wipe(this.#key);
        this.#key = next;
        this.#era = era;
      });
    } finally {
      if (this.#key !== next) wipe(next);
    }
  }

  /** Does `work` in one turn of the event loop, on what all tabs have made durable, and makes it durable. */
  async #change<T>(alone: boolean, work: (present: Present | undefined) => T): Promise<T> {
    this.#check();
    await this.#venue.catchUp();
    const change = async () => {
      const result = work(this.#check());
      await this.#venue.flush();
      return result;
    };
    // Which key is the first one is for one tab to say, too.
    const isFirst = this.#check()?.[1] !== this.#key.id;
    return alone || isFirst ? inTurn(this.#venue, change) : change();
  }

  #put(name: string, plain: Bytes): void {
    const present = this.#stored.present();
    this.#stored.put(name, plain, this.#key, present?.[1] === this.#key.id ? present[0] : this.#era);
  }

  #values(name: string): SecretValue[] {
    const { plain, keyId } = this.#stored.open(name, this.#key);
    if (plain) return unpack(plain);
    const { id } = this.#key;
    if (keyId !== undefined && keyId !== id && this.#stored.present()?.[1] !== id) throw this.#replaced();
    throw new TidemarkError(
      'damaged',
      `${called(name)} is damaged: changed, moved or put back by somebody without the key; set() it again or restore a backup`,
    );
  }

  #open(): void {
    if (this.#closed) throw new TidemarkError('closed', 'secrets: the venue is closed and their key is wiped');
  }

  /** @throws TidemarkError `closed`, `foreign_key` */
  #check(): Present | undefined {
    this.#open();
    const present = this.#stored.present();
    const isOurs = !present || present[1] === this.#key.id;
    if (!isOurs && (this.#stored.secrets.size > 0 || present[0] >= this.#era)) throw this.#replaced();
    return present;
  }

  #replaced(): TidemarkError {
    return new TidemarkError(
      'foreign_key',
      'secrets: their key was changed elsewhere; open them again with the new one',
    );
  }
}
