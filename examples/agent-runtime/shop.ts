// The world outside: a service that does things once for each idempotency key, as payment services do, and writes them into an append-only file, one
// line each. What is asked for again after a crash is written too, marked as a repetition.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

export interface Effect {
  key: string;
  what: string;
  repeated: boolean;
}

export class Shop {
  private readonly done: Set<string>;

  constructor(private readonly file: string) {
    this.done = new Set(effectsIn(file).map(({ key }) => key));
  }

  async do(key: string, what: string): Promise<void> {
    await pause(2 + Math.random() * 8); // it is far away
    const effect: Effect = { key, what, repeated: this.done.has(key) };
    appendFileSync(this.file, `${JSON.stringify(effect)}\n`);
    this.done.add(key);
    await pause(Math.random() * 5); // and so is the answer
  }

  /** Undoes what was done under the key, if it was: nobody may know, after a crash. */
  async undo(key: string, what: string): Promise<void> {
    if (this.done.has(key)) await this.do(`undo ${key}`, what);
  }
}

export const effectsIn = (file: string): Effect[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Effect)
    : [];
