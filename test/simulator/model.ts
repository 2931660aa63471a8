// What a venue has been told and what it has promised, kept so simply that it is obviously right: for each key the values
// it has had, in order, and from which of them on it may be found after a crash. Knows no disk and no venue.

/** Every value written in one world is another, so that a value that is found names its write. */
export interface Value {
  readonly n: number;
  readonly pad: string;
}

export interface KeyName {
  readonly region: string;
  readonly key: string;
}

/** How a key reads, live, durable or after a crash. */
export type Read = (name: KeyName) => Value | undefined;

interface History {
  readonly name: KeyName;
  /** From what the last opening found, to what is in memory now. */
  states: (Value | undefined)[];
  /** Index of the oldest state that may still be found. */
  durable: number;
  /** When the newest was written. */
  order: number;
}

/** A write in a fork, and when it was made: of two writes of a key the later one wins, whenever they meet. */
interface ForkWrite {
  readonly name: KeyName;
  readonly value: Value | undefined;
  readonly order: number;
}
export type ForkWrites = Map<string, ForkWrite>;

/** Writes that became visible at once and must be found all or none: key to index in its history. */
type Group = ReadonlyMap<History, number>;

/** What was in memory at some moment. */
export type Moment = ReadonlyMap<History, number>;

const same = (a: Value | undefined, b: Value | undefined): boolean => a?.n === b?.n && a?.pad === b?.pad;
const shown = (value: Value | undefined): string => (value ? `write ${value.n}` : 'nothing');
const idOf = ({ region, key }: KeyName): string => `${region}/${key}`;
const named = ({ name }: History): string => idOf(name);

export class ModelError extends Error {
  override readonly name = 'ModelError';
}

const violated = (message: string): never => {
  throw new ModelError(message);
};

export class Model {
  private readonly histories = new Map<string, History>();
  private groups: Group[] = [];
  private writes = 0;
  private order = 0;
  private readonly everWritten = new Map<string, Value>();

  /** A value that no write had before. */
  value(bytes: number): Value {
    const n = ++this.writes;
    return { n, pad: String.fromCharCode(97 + (n % 26)).repeat(bytes) };
  }

  write(name: KeyName, value: Value | undefined): void {
    const history = this.history(name);
    history.states.push(value);
    history.order = ++this.order;
    this.record(name, value);
  }

  writeInFork(fork: ForkWrites, name: KeyName, value: Value | undefined): void {
    fork.set(idOf(name), { name, value, order: ++this.order });
  }

  /** A fork was joined. */
  join(fork: ForkWrites): void {
    const group = new Map<History, number>();
    for (const { name, value, order } of fork.values()) {
      this.record(name, value);
      const history = this.history(name);
      if (order < history.order) continue;
      history.order = order;
      group.set(history, history.states.push(value) - 1);
    }
    this.groups.push(group);
  }

  private record(name: KeyName, value: Value | undefined): void {
    if (value) this.everWritten.set(`${idOf(name)}/${value.n}`, value);
  }

  now(): Moment {
    return new Map([...this.histories.values()].map((history) => [history, history.states.length - 1]));
  }

  /** All that there was at this moment has been reported durable. */
  durable(moment: Moment): void {
    for (const [history, index] of moment)
      history.durable = Math.max(history.durable, Math.min(index, history.states.length - 1));
  }

  /** Memory is what was written. */
  checkLive(read: Read): void {
    for (const history of this.histories.values()) {
      const expected = history.states[history.states.length - 1];
      const found = read(history.name);
      if (!same(found, expected)) violated(`${named(history)} reads ${shown(found)}, written was ${shown(expected)}`);
    }
  }

  /** What the venue says a crash would leave is a promise too. */
  promise(root: Read): void {
    for (const history of this.histories.values()) {
      const found = root(history.name);
      const index = history.states.findIndex((state, i) => i >= history.durable && same(state, found));
      if (index < 0) violated(`root: ${named(history)} is ${shown(found)}, which ${this.verdict(history, found)}`);
      history.durable = index;
    }
  }

  /**
   * What an opening found, against what was promised. From here on it is what there is.
   * @param keys all that it found.
   */
  recover(keys: Iterable<KeyName>, read: Read): void {
    for (const name of keys) this.history(name);
    const found = new Map([...this.histories.values()].map((history) => [history, read(history.name)]));
    for (const [history, value] of found) {
      const index = history.states.findLastIndex((state) => same(state, value));
      if (index >= history.durable) continue;
      const promised = history.states[history.durable];
      violated(
        `${named(history)} is ${shown(value)}, which ${this.verdict(history, value)}; durable was ${shown(promised)}`,
      );
    }
    for (const group of this.groups) this.checkWhole(group, found);
    this.groups = [];
    // New ones: a flush of the life before may still report an old moment durable.
    this.histories.clear();
    for (const [{ name }, value] of found) this.history(name).states = [value];
  }

  private checkWhole(group: Group, found: ReadonlyMap<History, Value | undefined>): void {
    const [there, missing]: [string[], string[]] = [[], []];
    for (const [history, index] of group) {
      const value = found.get(history);
      const states = history.states.flatMap((state, i) => (same(state, value) ? i : []));
      // A later write may be there without this one; a deletion does not say which one it was.
      if (states.every((i) => i === index)) there.push(named(history));
      else if (states.every((i) => i < index)) missing.push(named(history));
    }
    if (there.length > 0 && missing.length > 0) violated(`of a fork, ${there} was found and ${missing} was not`);
  }

  /** After rot anything may be missing, but what is found was written. */
  checkNothingInvented(keys: Iterable<KeyName>, read: Read): void {
    for (const name of keys) {
      const value = read(name);
      if (value && !this.wasWritten(name, value))
        violated(`${idOf(name)} is ${JSON.stringify(value).slice(0, 80)}, which was never written`);
    }
  }

  private verdict(history: History, value: Value | undefined): string {
    if (history.states.some((state) => same(state, value))) return 'had been replaced durably';
    return value && this.wasWritten(history.name, value) ? 'had been lost before' : 'was never written';
  }

  private wasWritten(name: KeyName, value: Value): boolean {
    return same(this.everWritten.get(`${idOf(name)}/${value.n}`), value);
  }

  private history(name: KeyName): History {
    const id = idOf(name);
    let history = this.histories.get(id);
    if (!history) {
      history = { name, states: [undefined], durable: 0, order: 0 };
      this.histories.set(id, history);
    }
    return history;
  }
}
