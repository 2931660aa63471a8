// Closing in order and in bounds: nothing hangs, and what could not be saved is named.
import type { Clock } from '../base/seams';
import type { Engine } from './engine';
import type { CloseReport } from './events';
import { closeBackendMsMax, closeFlushMsMax, closeSweepMsMax } from './limits';

/** Runs out after so many ms, without an error. */
async function within(clock: Clock, ms: number, work: () => Promise<unknown>): Promise<void> {
  let timer: unknown;
  const timeout = new Promise((resolve) => {
    timer = clock.setTimeout(() => resolve(undefined), ms);
  });
  const done = (async () => work())().catch(() => undefined);
  await Promise.race([done, timeout]);
  clock.clearTimeout(timer);
}

/** Stops writes, makes durable what it can in its bounds, says what is left, and gives the store free. @param released called last */
export async function closeInOrder(engine: Engine, released: () => void): Promise<CloseReport> {
  const { sweeper, fork, writer, events } = engine;
  const { backend, clock } = engine.options;
  events.emit('closing', undefined);
  engine.closed = true;
  await within(clock, closeSweepMsMax, () => sweeper.settled());
  await within(clock, closeFlushMsMax, () => sweeper.flush(closeFlushMsMax));
  // What could not be written is at least in the journal, for the next opening.
  if (engine.options.journal && fork.unsaved > 0) engine.writeNow();
  await within(clock, closeBackendMsMax, () => engine.checkpointer.settled());
  engine.stop();
  engine.mark(true);
  engine.options.marker?.closed(writer.id);
  const entries = fork.unsaved;
  const report: CloseReport = {
    durable: entries === 0,
    unsaved: { entries, regions: fork.regions },
    root: writer.root,
  };
  if (entries > 0) {
    const why = engine.lastFailure ? `: ${engine.lastFailure.error.message}` : '';
    engine.logger.error(
      `${backend.target}: closed with ${entries} entries unsaved, in ${report.unsaved.regions.join(', ')}${why}`,
    );
  }
  await within(clock, closeBackendMsMax, () => backend.close());
  released();
  events.emit('closed', report);
  return report;
}
