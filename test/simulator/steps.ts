// What each step of a program does in a world, and what the venue must have done when it is over. Knows nothing of how a
// world starts, dies or is checked after that.
import { FlushTimeoutError, LockedError, TidemarkError } from '../../src/base/errors';
import type { ForkedVenue } from '../../src/venue';
import { type Stored, stored } from './life';
import type { ForkWrites, Value } from './model';
import type { Step, Write } from './program';
import { type World, WorldError } from './world';

/** With a disk that works: retries have backed off to 5 s at most, calls take 300 ms at most. */
export const answerMsMax = 30_000;
/** DESIGN.md, "Closing": 2 s for the sweep, 5 s for the flush, 2 s for the checkpoint, 2 s for the backend. */
const closeMsMax = 12_000;
/** How long a program waits for an answer that a broken disk holds up. */
const patienceMs = 1000;
/** Longer than the longest pause between retries, and than whatever may still be going on after a flush. */
const idleMs = 10_000;

export async function perform(world: World, step: Step): Promise<void> {
  const { life, venue } = world;
  const { disk } = life;
  switch (step.do) {
    case 'write':
      for (const write of step.writes) {
        const value = apply(world, venue, write);
        if (value !== 'none') world.model.write(write, value);
      }
      break;
    case 'fork':
      await fork(world, step);
      break;
    case 'flush':
      await flush(world, step.await, step.timeoutMs);
      break;
    case 'checkpoint':
      await checkpoint(world, step.await);
      break;
    case 'purge':
      purge(world, step.region, step.ms);
      break;
    case 'usage':
      await usage(world);
      break;
    case 'wait':
      await world.clock.advance(step.ms, () => life.isOver);
      break;
    case 'jump':
      world.clock.jump(step.ms);
      break;
    case 'close':
      await close(world);
      break;
    case 'exit':
      exit(world);
      break;
    case 'intrude':
      await intrude(world);
      break;
    case 'faults':
      disk.faults.set({ rate: step.rate });
      if (step.rate > 0) world.breaks();
      break;
    case 'fill':
      disk.fill(step.roomBytes);
      world.breaks();
      break;
    case 'readOnly':
      disk.readOnly = true;
      world.breaks();
      break;
    case 'slow':
      disk.slowness(step.rate, step.ms);
      life.slow ||= step.rate > 0;
      break;
    case 'heal':
      await heal(world, step.flush);
      break;
    case 'crash':
      world.troubles = [...step.recovery];
      world.die(step.how);
      break;
    case 'crashAt':
      world.troubles = [...step.recovery];
      world.armCrash(step.at);
      break;
  }
}

/** @returns what the key holds now, or 'none' if there was nothing to delete. */
function apply({ model }: World, to: Pick<ForkedVenue, 'region'>, write: Write): Value | undefined | 'none' {
  const region = to.region<Stored>(write.region);
  if (write.how === 'delete') return region.delete(write.key) ? undefined : 'none';
  const value = model.value(write.bytes);
  if (write.how === 'update') region.update(write.key, () => stored(write.region, value));
  else region.set(write.key, stored(write.region, value));
  return value;
}

/** Which entries are old enough is the venue's business; that they stay deleted is ours. */
function purge({ model, venue, read }: World, name: string, ms: number): void {
  const region = venue.region(name);
  const before = [...region].map(([key]) => ({ region: name, key }));
  const purged = region.purgeOlderThan(ms);
  const gone = before.filter((entry) => read(entry) === undefined);
  for (const entry of gone) model.write(entry, undefined);
  if (gone.length !== purged) throw new WorldError(`purged ${purged} entries and ${gone.length} are gone`);
}

async function usage(world: World): Promise<void> {
  const end = await world.life.drive(world.venue.usage(), answerMsMax);
  if (end && 'error' in end && !(world.mayRefuse && end.error instanceof TidemarkError)) throw end.error;
  if (end && 'value' in end && !(end.value.bytes >= 0))
    throw new WorldError(`the store takes ${end.value.bytes} bytes`);
}

async function fork(world: World, { writes, meanwhile, end }: Step & { do: 'fork' }): Promise<void> {
  const { life, venue, model } = world;
  const fork = venue.fork();
  const written: ForkWrites = new Map();
  for (const write of writes) {
    const value = apply(world, fork, write);
    if (value !== 'none') model.writeInFork(written, write, value);
  }
  model.checkLive(world.read);
  for (const step of meanwhile) {
    await perform(world, step);
    if (life.isOver) return;
  }
  fork[end]();
  if (end === 'sync') model.join(written);
}

async function flush(world: World, awaited: boolean, timeoutMs?: number): Promise<void> {
  const { life } = world;
  const moment = world.model.now();
  const limit = timeoutMs ?? (awaited && world.broken ? patienceMs : undefined);
  const flushed = life.ask(world.venue.flush(limit === undefined ? {} : { timeoutMs: limit })).then(() => {
    world.model.durable(moment);
    world.tally.flushes++;
    if (!life.isOver) world.checkRoot();
  });
  const heard = flushed.catch((error) => {
    if (!(error instanceof FlushTimeoutError) && !isClosed(error)) world.failure ??= error;
  });
  if (awaited) await life.drive(heard, answerMsMax);
}

const isClosed = (error: unknown): boolean => error instanceof TidemarkError && error.code === 'closed';

async function checkpoint(world: World, awaited: boolean): Promise<void> {
  const { life } = world;
  const { mayRefuse, breakages } = world;
  let answered = false;
  const made = life.ask(world.venue.checkpoint()).then(
    () => {
      answered = true;
      world.tally.checkpoints++;
    },
    (error) => {
      answered = true;
      if (!(error instanceof TidemarkError) || !(mayRefuse || world.breakages > breakages || isClosed(error)))
        world.failure ??= error;
    },
  );
  if (!awaited) return;
  if (world.broken) await world.clock.advance(patienceMs, () => answered || life.isOver);
  else await life.drive(made, answerMsMax);
}

async function close(world: World): Promise<void> {
  const { life, venue, model } = world;
  const moment = model.now();
  const end = await life.drive(venue.close(), closeMsMax);
  if (!end) return;
  if ('error' in end) throw end.error;
  const { durable, unsaved } = end.value;
  if (durable) model.durable(moment);
  else if (!world.broken) throw new WorldError(`closed on a disk that works, with ${unsaved.entries} unsaved`);
  // On a slow disk a checkpoint that was begun may go on for longer than close() waits; it is answered when it ends.
  await world.clock.advance(1);
  if (life.slow) await world.clock.advance(idleMs, () => life.isOver || life.unanswered === 0);
  if (life.isOver) return;
  if (life.unanswered > 0)
    throw new WorldError(`${life.unanswered} flushes or checkpoints were not answered when the venue was closed`);
  // A slow disk may have the backend tidy up for longer than close() waits.
  if (!life.slow) checkLeft(world);
  if (life.clock.pending > 0) throw new WorldError('close left a timer');
  world.endLife('kill');
}

function checkLeft({ life, mayRefuse }: World): void {
  if (life.disk.openFiles().length > 0) throw new WorldError(`close left ${life.disk.openFiles()} open`);
  const left = [...life.disk.files().keys()].filter((path) => path.includes('LOCK') || path.endsWith('.tmp'));
  if (left.length > 0 && !mayRefuse && !life.troubled) throw new WorldError(`close left ${left} behind`);
}

/** The process ends without closing. */
function exit(world: World): void {
  const { life, model } = world;
  const moment = model.now();
  if (life.writeNow()) model.durable(moment);
  else if (!world.mayRefuse && !life.isOver) throw new WorldError('exit did not make everything durable');
  if (!life.isOver) world.die('kill');
}

async function intrude(world: World): Promise<void> {
  const other = world.spawn();
  const end = await world.life.drive(other.open(100), answerMsMax);
  if (end && !('error' in end)) throw new WorldError('a store in use was opened by another process');
  if (end && !(end.error instanceof LockedError)) throw end.error;
  other.leave();
}

/** What was held up goes through, and then nothing happens any more. */
async function heal(world: World, flushes: boolean): Promise<void> {
  const { life, venue } = world;
  world.mend(life.disk);
  if (flushes) {
    await flush(world, true);
    if (!life.isOver && venue.unsaved.get()) throw new WorldError('unsaved after a flush on a disk that works');
  }
  await world.clock.advance(idleMs, () => life.isOver);
  if (life.isOver) return;
  const { unsaved } = venue.health();
  if (venue.unsaved.get() || unsaved.entries > 0)
    throw new WorldError(`${unsaved.entries} unsaved on a disk that works`);
  if (life.unanswered > 0) throw new WorldError('a checkpoint was not answered on a disk that works');
  if (life.clock.pending > 0) throw new WorldError('an idle venue has a timer');
}
