// The seams through which time, cryptography and warnings come in. The core has no clock, no timer and no console of
// its own: fake timers, the simulator and each platform hand theirs in here.
import type { Bytes } from './bytes';

/** Time. `now` may jump (a wall clock does); `elapsed` never goes back. Both in milliseconds. */
export interface Clock {
  now(): number;
  elapsed(): number;
  /** A timer that keeps a Node process alive until it fires or is cleared. */
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Lets the event loop take other work first: one full turn, not a microtask. */
  nextTurn(): Promise<void>;
}

/** SHA-256 and Ed25519, synchronous because the last commit is made while the page goes away. */
export interface Crypto {
  sha256(bytes: Bytes): Bytes;
  /** The same, where the platform has it faster but only asynchronously: for opening large stores. */
  digest?(bytes: Bytes): Promise<Bytes>;
  /** SHA-256 of what comes piece by piece. */
  hasher(): { update(bytes: Bytes): unknown; digest(): Bytes };
  /** HKDF-SHA256 (RFC 5869) without salt: 32 bytes that only who has the key can make. */
  derive(key: Bytes, info: Bytes): Bytes;
  /** A signer for one 32-byte Ed25519 seed. */
  signer(seed: Bytes): { readonly publicKey: Bytes; sign(message: Bytes): Bytes };
  verify(signature: Bytes, message: Bytes, publicKey: Bytes): boolean;
  randomBytes(length: number): Bytes;
}

/** A small store of texts beside the backend whose every call is done when it returns: localStorage. */
export interface SyncStore {
  keys(): string[];
  get(key: string): string | undefined;
  /** @throws when there is no room. */
  set(key: string, text: string): void;
  remove(key: string): void;
}

/** Where warnings go. Each call gets a message and, where there is one, the error or event behind it. */
export interface Logger {
  info(message: string, detail?: unknown): void;
  warn(message: string, detail?: unknown): void;
  error(message: string, detail?: unknown): void;
}
