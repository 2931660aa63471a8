// One simulated world: a machine with a disk, a clock and one store, in which a program runs, dies and is started again. After
// every start it checks what was found; what is right, model.ts and store-check.ts know.
import { parseName } from '../../backends/fs/names';
import { TidemarkError } from '../../src/base/errors';
import type { RecoveryReport } from '../../src/engine/recovery';
import type { Venue } from '../../src/venue';
import type { Phase } from './calls';
import { SimClock } from './clock';
import { SimDisk } from './disk';
import type { Fault, Op } from './faults';
import { asValue, Life, type Stored, storePath } from './life';
import { Machine } from './machine';
import { type KeyName, Model, type Read } from './model';
import { type CrashPoint, type Death, type Program, regions, type Step, type Trouble } from './program';
import { Random } from './random';
import { answerMsMax, perform } from './steps';
import { checkNothingCut, checkQuarantine, type Files, quarantineIn } from './store-check';

/** What happened in a world: tells whether simulations do what they should. */
export interface Tally {
  calls: number;
  opens: number;
  crashes: number;
  troubledOpens: number;
  flushes: number;
  checkpoints: number;
  tornBytes: number;
  damage: number;
}

export class WorldError extends Error {
  override readonly name = 'WorldError';
}

/** One thing that happens at one call of all that a world makes, whichever process makes it. */
export type Incident = { readonly call: number } & (
  | { readonly how: Death; readonly phase: Phase }
  | { readonly fault: Fault }
);

/** A flipped bit in one file. */
interface Rot {
  readonly path: string;
  readonly byte: number;
  /** Whether all that the file held is elsewhere too. */
  readonly spare: boolean;
  /** Whether an opening reads it. */
  readonly read: boolean;
}

export class World {
  readonly tally: Tally = {
    calls: 0,
    opens: 0,
    crashes: 0,
    troubledOpens: 0,
    flushes: 0,
    checkpoints: 0,
    tornBytes: 0,
    damage: 0,
  };
  readonly clock = new SimClock();
  readonly model = new Model();
  /** The process that runs now. */
  life!: Life;
  /** What goes wrong in the next openings. */
  troubles: Trouble[] = [];
  /** Whether the disk may refuse now. */
  broken = false;
  /** How often that has begun. */
  breakages = 0;
  /** Of something that nobody was waiting for. */
  failure: unknown;
  private readonly random: Random;
  private readonly machine: Machine;
  /** The disk as the next process gets it. */
  private disk: SimDisk;
  private rot: Rot | undefined;
  private sweepMs = 100;

  /** The crash that is armed, by the calls of this process. */
  private crash: CrashPoint | undefined;
  /** What quarantine held when the store was last opened. */
  private quarantined: Files = new Map();

  constructor(
    seed: number,
    private readonly incident?: Incident,
    /** Told of every call, for those who want to know where incidents can be. */
    private readonly watch?: (op: Op) => void,
  ) {
    this.random = new Random(seed);
    this.machine = new Machine(this.random.fork());
    this.disk = SimDisk.blank(this.random.uint32(), this.clock);
  }

  /** Whether a call may go wrong now. */
  get mayRefuse(): boolean {
    return this.broken || (this.incident !== undefined && 'fault' in this.incident);
  }

  get venue(): Venue {
    return this.life.venue!;
  }

  async run(program: Program): Promise<void> {
    this.sweepMs = program.sweepMs;
    await this.boot();
    for (const step of program.steps) await this.take(step);
    await this.take({ do: 'heal', flush: this.random.chance(0.5) });
    await this.take({ do: 'crash', how: this.anyDeath(), recovery: [] });
    await this.take({ do: 'close' });
    await this.decay();
    this.endLife('kill');
    await this.clock.advance(0);
    if (this.failure) throw this.failure;
  }

  private async take(step: Step): Promise<void> {
    await perform(this, step);
    if (this.failure) throw this.failure;
    if (this.life.isOver) await this.boot();
    else this.model.checkLive(this.read);
  }

  /** How values read now. */
  readonly read: Read = ({ region, key }) => asValue(this.venue.region<Stored>(region).get(key));
  private readonly root: Read = ({ region, key }) => asValue(this.venue.root.region<Stored>(region).get(key));

  /** What the venue says a crash would leave is a promise, whether it is asked for a key or for all. */
  checkRoot(): void {
    if (this.rot) return;
    this.model.promise(this.root);
    for (const name of regions) {
      const region = this.venue.root.region(name);
      const listed = [...region].map(([key]) => key);
      if (listed.some((key, at) => !region.has(key) || (at > 0 && key <= listed[at - 1]!))) {
        throw new WorldError(`root of ${name} lists ${listed}`);
      }
    }
  }

  private anyDeath(): Death {
    return this.random.pick(['power', 'kill']);
  }

  /** A crash at a call of this process; never, if it ends before. */
  armCrash(point: CrashPoint): void {
    this.crash = { ...point, calls: this.life.disk.callCount + point.calls };
  }

  private called(call: number, phase: Phase, op: Op): void {
    if (phase === 'before') {
      this.tally.calls++;
      this.watch?.(op);
    }
    const { crash, incident } = this;
    if (crash?.calls === call && crash.phase === phase) this.die(crash.how);
    if (incident?.call !== this.tally.calls || this.life.isOver) return;
    if ('fault' in incident && phase === 'before') this.life.disk.faults.failNext(op, incident.fault);
    else if ('how' in incident && incident.phase === phase) this.die(incident.how);
  }

  spawn(): Life {
    return new Life(this.disk, this.machine, this.clock, this.random);
  }

  breaks(): void {
    this.broken = true;
    this.breakages++;
    this.life.troubled = true;
  }

  mend(disk: SimDisk): void {
    disk.faults.set({ rate: 0 });
    disk.capacity = Number.POSITIVE_INFINITY;
    disk.readOnly = false;
    disk.slowness(0, 0);
    this.broken = false;
  }

  /** The process crashes. What the venue says is durable at that moment is a promise. */
  die(how: Death): void {
    this.tally.crashes++;
    if (this.life.venue) this.checkRoot();
    this.endLife(how);
  }

  endLife(how: Death): void {
    this.crash = undefined;
    this.disk = this.life.end(how);
    if (how === 'power') this.machine.losePower();
  }

  /** Starts processes until one has opened the store, and checks what it found. */
  private async boot(): Promise<void> {
    for (let again = false; ; ) {
      const found = await this.start();
      if (!found) continue;
      this.check(found);
      if (again && found.health().recovery.tornBytes > 0)
        throw new WorldError('what an opening cut off was there again');
      // What was found counts as durable: whatever happens now, the next opening finds the same.
      if (this.rot || !this.random.chance(0.2)) return;
      this.die(this.anyDeath());
      again = true;
    }
  }

  /** @returns undefined if the process did not get there. */
  private async start(): Promise<Venue | undefined> {
    const life = this.spawn();
    this.life = life;
    this.mend(life.disk);
    life.disk.onCall = (call, phase, op) => this.called(call, phase, op);
    const trouble = this.troubles.shift();
    life.troubled = trouble !== undefined;
    if (trouble) this.tally.troubledOpens++;
    const refuses = trouble !== undefined && 'faults' in trouble;
    if (refuses) life.disk.faults.set({ rate: trouble.faults });
    else if (trouble) this.armCrash(trouble);
    const [durable, live] = [copy(life.disk.durableView()), copy(life.disk.files())];
    checkQuarantine(this.quarantined, live);
    const end = await life.drive(life.open(this.sweepMs), answerMsMax);
    // Of one that was refused a sync may have failed: the disk may have lost what was not durable then.
    checkNothingCut(storePath, end && 'value' in end ? live : durable, this.disk.files());
    // An opening that did not get through may have put the rot into quarantine already.
    if (this.rot && (!end || 'error' in end)) this.rot = { ...this.rot, read: false };
    if (!end) return undefined;
    if ('value' in end) {
      life.disk.faults.set({ rate: 0 });
      this.quarantined = quarantineIn(storePath, copy(this.disk.files()));
      return end.value;
    }
    if (!(refuses || this.mayRefuse) || !(end.error instanceof TidemarkError)) throw end.error;
    this.endLife('kill');
    return undefined;
  }

  private check(venue: Venue): void {
    const report = venue.health().recovery;
    this.tally.opens++;
    this.tally.tornBytes += report.tornBytes;
    this.tally.damage += report.damage.length;
    const keys = regions.flatMap((region) => [...venue.region(region)].map(([key]): KeyName => ({ region, key })));
    if (this.rot) this.checkRotten(this.rot, report);
    else if (report.damage.length > 0) throw new WorldError(`damage without rot: ${JSON.stringify(report.damage)}`);
    if (!this.rot || this.rot.spare) this.model.recover(keys, this.read);
    else this.model.checkNothingInvented(keys, this.read);
    this.checkRoot();
  }

  private checkRotten({ path, byte, read }: Rot, report: RecoveryReport): void {
    if (read && report.damage.length === 0 && report.tornBytes === 0) {
      throw new WorldError(`rot in byte ${byte} of ${path} was not reported`);
    }
  }

  /** One bit flips in one file while nobody looks. */
  private async decay(): Promise<void> {
    this.die('kill');
    const files = [...this.disk.files()].flatMap(([path, bytes]) => {
      const parsed = parseName(path.slice(storePath.length + 1));
      return parsed && bytes.length > 0 ? { path, size: bytes.length, ...parsed } : [];
    });
    if (files.length > 0) {
      const { path, size, kind, generation } = this.random.pick(files);
      const newest = Math.max(0, ...files.map((file) => (file.kind === 'checkpoint' ? file.generation : 0)));
      const read = generation >= newest;
      const byte = this.random.below(size);
      this.rot = { path, byte, spare: kind === 'checkpoint' || !read, read };
      this.disk.flip(path, byte, 1 << this.random.below(8));
    }
    await this.boot();
  }
}

/** The bytes that a disk shows are its own. */
const copy = (files: Files): Files => new Map([...files].map(([path, bytes]) => [path, bytes.slice()]));
