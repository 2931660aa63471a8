// What random programs on sessions must find, whatever became of the tabs that ran them: a model of all that was said, of what was acknowledged,
// and what each ledger must show of it.
import { expect } from 'vitest';
import type { Session, Sessions } from '../../src/services/sessions';

const live = ['created', 'running', 'idle'];
const told = ['completed', 'failed', 'killed'];

interface Known {
  /** The tab that started it. */
  owner: object;
  /** What was appended, by seq from 1; `undefined` for an input, whose place its writer chose. */
  events: (string | undefined)[];
  durableSeq: number;
  inputs: Set<string>;
  /** The end that its writer was told it has. */
  ended: string | undefined;
  /** Somebody was told that it is killed. */
  killed: boolean;
  /** Somebody began to delete it. */
  deleting: boolean;
  deleted: boolean;
}

export class Model {
  readonly known = new Map<string, Known>();
  private n = 0;

  get ids(): string[] {
    return [...this.known.keys()];
  }

  started(id: string, owner: object): void {
    this.known.set(id, {
      owner,
      events: [],
      durableSeq: 0,
      inputs: new Set(),
      ended: undefined,
      killed: false,
      deleting: false,
      deleted: false,
    });
  }

  /** Something that was said nowhere else. */
  text(): string {
    return `text ${this.n++}`;
  }

  appended(id: string, seq: number, text: string): void {
    const { events } = this.known.get(id)!;
    expect(events[seq - 1]).toBeUndefined();
    events[seq - 1] = text;
  }

  /** What a ledger shows of each session it has: events without gaps or doubles, all as they were said. */
  check(sessions: Sessions): Session[] {
    const all: Session[] = [];
    let cursor: string | undefined;
    do {
      const page = sessions.list({ archived: 'any', limit: 3, cursor });
      all.push(...page.sessions);
      cursor = page.nextCursor;
    } while (cursor);
    expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted());
    for (const { id, state } of all) {
      const known = this.known.get(id);
      const inputs = new Set<string>();
      sessions.replay(id).events.forEach(({ seq, event: { type, payload } }, place) => {
        expect(seq).toBe(place + 1);
        if (!known) return; // its start was never acknowledged
        if (type === 'input') {
          expect(known.inputs.has(payload as string) && !inputs.has(payload as string), `${payload} once`).toBe(true);
          inputs.add(payload as string);
        } else expect(payload).toBe(known.events[place]);
      });
      expect([...live, ...told, 'orphaned']).toContain(state);
    }
    return all;
  }

  /** What a ledger shows once all that is durable has been heard by everybody. */
  checkAll(sessions: Sessions, isAlive: (owner: object) => boolean): Session[] {
    const all = this.check(sessions);
    for (const { id, state, live: isLive } of all)
      if (isLive) expect(isAlive(this.known.get(id)?.owner ?? {}), `${id} is ${state} without a writer`).toBe(true);
    for (const [id, { events, durableSeq, ended, killed, deleting, deleted, owner }] of this.known) {
      const session = all.find((each) => each.id === id);
      if (deleted) expect(session).toBeUndefined();
      if (deleting) continue;
      expect(session, 'its start was acknowledged').toBeDefined();
      if (ended) expect(session!.state).toBe(ended);
      else if (killed) expect(told).toContain(session!.state);
      const count = sessions.replay(id).events.length;
      expect(count).toBeGreaterThanOrEqual(isAlive(owner) ? events.length : durableSeq);
      if (!isAlive(owner)) expect(['running', 'idle']).not.toContain(session!.state);
    }
    return all;
  }
}

/** Holds one ledger to what it has shown before: what is over stays over. @returns what it did not stick to */
export function witness(sessions: Sessions): string[] {
  const seen = new Map<string, string>();
  const broken: string[] = [];
  sessions.subscribe((session, id) => {
    const before = seen.get(id);
    const now = session?.state ?? 'deleted';
    if (before && !live.includes(before) && live.includes(now)) broken.push(`${before} -> ${now}`);
    if (before && told.includes(before) && now === 'orphaned') broken.push(`${before} -> ${now}`);
    // Its writer had ended it, and not heard that it was killed.
    if (before === 'completed' || before === 'failed')
      if (now !== before && now !== 'deleted') broken.push(`${before} -> ${now}`);
    if (before === 'deleted' && now !== 'deleted') broken.push(`${before} -> ${now}`);
    seen.set(id, now);
  });
  return broken;
}
