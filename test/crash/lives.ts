// A store through many lives: each is a child that streams steps into it and is killed. Keeps what every child said it wrote and was told is
// durable, and holds the store to it after each death.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Health, openVenue, type RecoveryReport } from '../../src/node';
import { readStore } from '../format/reader';
import { type Child, start } from './child';
import type { StreamerOptions } from './children/streamer';
import { Expected, lastStep } from './steps';
import { readTrace, type TraceLine } from './trace';

interface Opened {
  last: number;
  did: string;
  status: Health['status'];
  recovery: RecoveryReport;
}

/** How one life ended, as far as one can tell from outside. */
export interface Death {
  /** Steps written and not there again. */
  lost: number;
  /** Age of the oldest of them at the child's last word, in ms; 0 for none. */
  lostMs: number;
  /** What the child was doing when it died. */
  during: 'start' | 'recovery' | 'checkpoint' | 'stream';
}

export class Lives {
  readonly deaths: Death[] = [];
  readonly store: string;
  /** How long the last opening took, in ms. */
  openMs = 0;
  /** What every recovery has cut off. */
  tornBytes = 0;
  private readonly expected = new Expected();
  /** Steps of which it is not known yet whether they are there. */
  private pending: { n: number; life: number }[] = [];
  /** The last step that anybody was told is durable. */
  private durable = 0;
  private lives = 0;
  /** The last life that wrote anything, until it is known what is left of it. */
  private writer: { lines: TraceLine[]; death: Death } | undefined;
  private did: string | undefined;

  constructor(
    private readonly folder: string,
    private readonly program: string,
  ) {
    this.store = join(folder, 'venue.etch');
  }

  /** One life. @param kill waits for the moment and kills the child, unless it kills itself. */
  async live(options: Partial<StreamerOptions>, kill: (child: Child) => Promise<void> | void): Promise<void> {
    const life = ++this.lives;
    const trace = join(this.folder, `trace.${life}`);
    const child = start(this.program, { store: this.store, trace, life, ...options } satisfies StreamerOptions);
    await Promise.race([kill(child), child.ended]);
    const { code, signal, stderr } = await child.ended;
    expect({ code, signal, stderr }).toEqual({ code: null, signal: 'SIGKILL', stderr: '' });

    const lines = await readTrace(trace);
    const opened = lines.find(({ what }) => what === 'opened')?.data as Opened | undefined;
    if (opened) this.recovered(opened);
    for (const { what, data } of lines) {
      if (what === 'step') this.pending.push({ n: data as number, life });
      if (what === 'durable') this.durable = Math.max(this.durable, data as number);
    }
    const checkpoints = lines.filter(({ what }) => /^checkpoint/.test(what));
    const during = !opened
      ? lines.length > 0
        ? 'recovery'
        : 'start'
      : checkpoints.at(-1)?.what === 'checkpoint'
        ? 'checkpoint'
        : 'stream';
    const death: Death = { lost: 0, lostMs: 0, during };
    this.deaths.push(death);
    if (opened) this.writer = { lines, death };
  }

  /** Opens the store here, as whoever comes next would, and looks at all that is in it. */
  async check(): Promise<void> {
    const lock = JSON.parse(await readFile(join(this.store, 'LOCK'), 'utf8').catch(() => 'null')) as {
      pid: number;
    } | null;
    const venue = await openVenue({ store: this.store, signals: false, ...this.identity });
    const { status, recovery } = venue.health();
    // At once: there is no second try here.
    const takeover = lock ? [expect.stringContaining(`lock of process ${lock.pid} `)] : [];
    expect(recovery.notes.filter((note) => note.includes('lock'))).toEqual(takeover);
    this.recovered({ last: lastStep(venue), did: venue.did, status, recovery });
    expect(this.expected.differences(venue)).toEqual([]);
    await venue.close();
    await this.verify();
  }

  /** What `watchedWithSeed` was. */
  identity: { seed?: string } = {};

  /** Every signature, digest and link, as an outsider sees them. */
  private async verify(): Promise<void> {
    expect(
      (await readdir(this.store)).filter((name) => !/^(checkpoint|log)\.[0-9a-f.]+$|^quarantine$/.test(name)),
    ).toEqual([]);
    const outside = await readStore(this.store);
    expect(outside.problems).toEqual([]);
    expect([...outside.signers].filter((did) => did !== this.did)).toEqual([]);
    expect(outside.regions.get('films')?.size ?? 0).toBe(this.expected.films.size);
  }

  private recovered({ last, did, status, recovery }: Opened): void {
    this.did ??= did;
    expect(did).toBe(this.did);
    // A kill never looks like rot.
    expect({ status, ...recovery }).toMatchObject({
      status: 'ok',
      damage: [],
      holes: [],
      quarantined: [],
      fellBack: false,
    });
    this.openMs = recovery.tookMs;
    this.tornBytes += recovery.tornBytes;

    const written = this.pending.at(-1)?.n ?? this.expected.n;
    expect(last, 'what was reported durable is there').toBeGreaterThanOrEqual(this.durable);
    expect(last, 'what was never written is not').toBeLessThanOrEqual(written);
    for (const { n, life } of this.pending) if (n <= last) this.expected.take(n, life);
    expect(this.expected.n).toBe(last);
    this.pending = [];
    this.durable = last; // whoever opened it has shown it to the world
    if (last < written) this.lost(last);
  }

  private lost(last: number): void {
    const { lines, death } = this.writer!;
    const oldest = lines.findIndex(({ what, data }) => what === 'step' && data === last + 1);
    const after = lines.slice(oldest);
    // One sweep may have been on its way when it was written. The next one has it.
    expect(after.filter(({ what }) => what === 'sweep').length, 'sweeps since').toBeLessThanOrEqual(1);
    death.lost = after.filter(({ what }) => what === 'step').length;
    death.lostMs = lines.at(-1)!.ms - after[0]!.ms;
  }
}
