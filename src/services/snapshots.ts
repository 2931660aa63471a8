// One file or record saved well, for people who want only that: what is asked for, what is durable, what failed. WHEN is written is the engine's sweeper's
// business, HOW a target's (backends/fs/snapshots.ts, backends/indexeddb/snapshots.ts). Knows no platform and no venue.
import { type Bytes, encodeUtf8 } from '../base/bytes';
import { TidemarkError } from '../base/errors';
import type { Clock, Logger } from '../base/seams';
import { retryMsMax, retryMsMin } from '../engine/limits';
import { Sweeper } from '../engine/sweeper';
import type { Line } from './snapshots/line';
import type {
  SnapshotCloseReport,
  SnapshotFailure,
  SnapshotHooks,
  SnapshotOptions,
  SnapshotState,
  SnapshotTarget,
  SnapshotWriter,
} from './snapshots/types';

const isAmount = (ms: number) => ms >= 0 && ms < 2 ** 31;

/** @param lifecycle is handed the hooks; returns a function that takes them back */
export function snapshotWriter(
  options: SnapshotOptions & { clock: Clock; logger: Logger },
  target: SnapshotTarget,
  lifecycle: (hooks: SnapshotHooks) => () => void = () => () => undefined,
): SnapshotWriter {
  const { clock, logger, debounceMs = 100, maxWaitMs = Math.max(1000, debounceMs) } = options;
  if (!isAmount(debounceMs) || !isAmount(maxWaitMs) || maxWaitMs < debounceMs)
    throw new TidemarkError(
      'bad_option',
      'createSnapshotWriter: `debounceMs` and `maxWaitMs` must be ms, the latter no less',
    );
  if (typeof options.snapshot !== 'function')
    throw new TidemarkError(
      'bad_option',
      'createSnapshotWriter: `snapshot` must be a function that gives bytes or a string',
    );
  const lines = new Map<string, Line>();
  const failures = new Map<string, SnapshotFailure>();
  const listeners = new Set<(state: SnapshotState) => void>();
  const counts = { generation: 0, pending: 0, writing: 0, unsaved: 0 };
  let closing: Promise<SnapshotCloseReport> | undefined;

  const state = (): SnapshotState => ({
    generation: counts.generation,
    pending: counts.pending > 0,
    writing: counts.writing > 0,
    unsaved: counts.unsaved,
    lastError: [...failures.values()].at(-1),
  });

  function count(line: Line, sign: 1 | -1): void {
    if (line.requested > line.taken) counts.pending += sign;
    if (line.writing) counts.writing += sign;
    if (line.requested > line.saved) counts.unsaved += sign;
  }

  function update(line: Line, change: Partial<Line>): void {
    count(line, -1);
    Object.assign(line, change);
    count(line, 1);
  }

  function tell(): void {
    for (const listener of [...listeners]) {
      try {
        listener(state());
      } catch (error) {
        logger.error('a subscriber of a snapshot writer threw', error);
      }
    }
  }

  function lineOf(key: string): Line {
    if (closing) throw new TidemarkError('closed', 'the snapshot writer is closed');
    const known = lines.get(key);
    if (known) return known;
    const place = target.at(key);
    const sweeper = new Sweeper({
      clock,
      delayMs: debounceMs,
      maxWaitMs,
      retryMsMin,
      retryMsMax,
      write: () => write(line),
      unsaved: () => counts.unsaved,
      failed: (error, _, retryInMs) => failed(line, error as TidemarkError, retryInMs),
    });
    const line: Line = {
      ...{
        key,
        place,
        sweeper,
        requested: 0,
        taken: 0,
        saved: 0,
        issued: 0,
        writing: false,
        reason: '',
        forced: false,
      },
      ...{ attempt: { request: 0, reason: '' }, served: [], saves: [], now: undefined },
    };
    lines.set(key, line);
    return line;
  }

  /** Cheap from the second time on: it may be called for every change. */
  function ask(key: string, reason: string): Line {
    const line = lineOf(key);
    line.reason = reason;
    if (line.requested > line.taken) line.requested++;
    else {
      update(line, { requested: line.requested + 1 });
      tell();
    }
    return line;
  }

  /** Who waits is told by us, at the first failure. The sweeper's own waiters wait for success, so we leave none behind, however often we ask. */
  function force(line: Line): void {
    if (line.forced) return;
    line.forced = true;
    line.sweeper.flush(0).catch(() => undefined);
  }

  const broken = (line: Line, cause: unknown): TidemarkError => {
    const { message } = cause instanceof Error ? cause : new Error(String(cause));
    return new TidemarkError('bad_value', `no snapshot for ${line.place.name}: ${message}`, { cause });
  };

  function bytesOf(line: Line, data: unknown): Bytes {
    if (typeof data === 'string') return encodeUtf8(data);
    // A copy: who goes on writing into them must not change what is being written.
    if (data instanceof Uint8Array) return new Uint8Array(data);
    throw broken(line, new TypeError('`snapshot` must give bytes or a string'));
  }

  async function take(line: Line): Promise<Bytes> {
    let data: unknown;
    try {
      data = await options.snapshot(line.key);
    } catch (cause) {
      throw broken(line, cause);
    }
    return bytesOf(line, data);
  }

  async function write(line: Line): Promise<void> {
    const { requested: request, reason } = line;
    line.attempt = { request, reason };
    line.forced = false;
    line.served = line.saves;
    line.saves = [];
    if (line.saved < request) {
      update(line, { taken: request, writing: true });
      tell();
      try {
        const bytes = await take(line);
        // Never over a newer one that was issued while this one was being taken.
        if (line.now && line.now.request >= request) await line.now.work;
        else {
          line.issued = request;
          await line.place.write(bytes);
        }
      } catch (error) {
        update(line, { taken: line.saved, writing: false });
        throw error;
      }
    }
    saved(line, request, false);
    for (const save of line.served.splice(0)) save.resolve();
    if (line.saved === line.requested) lines.delete(line.key);
  }

  /** A request, and all before it, is durable. */
  function saved(line: Line, request: number, writing: boolean): void {
    if (request > line.saved) counts.generation++;
    const newest = Math.max(request, line.saved);
    update(line, { saved: newest, taken: Math.max(newest, line.taken), writing });
    if (failures.delete(line.key)) logger.info(`${line.place.name}: saved, after failures`);
    tell();
  }

  function failed(line: Line, error: TidemarkError, retryInMs: number): void {
    const { key, place } = line;
    const { request, reason } = line.attempt;
    const code = String((error.cause as { code?: unknown } | undefined)?.code ?? error.code);
    const newerPending = line.requested > request;
    failures.delete(key); // the last one is the last to be set
    failures.set(key, {
      target: place.name,
      key,
      reason,
      error,
      code,
      newerPending,
      unsaved: counts.unsaved,
      retryInMs,
    });
    const told = line.served.splice(0);
    line.forced = false; // the sweeper has put it off
    if (told.length === 0)
      logger.warn(`${place.name}: not saved (${reason}), next try in ${retryInMs} ms: ${error.message}`, error);
    for (const save of told) save.reject(error);
    if (line.saves.length > 0) force(line);
    tell();
  }

  function issueNow(line: Line, request: number, data: unknown): void {
    const work = line.place.writeNow(bytesOf(line, data));
    if (!work) {
      saved(line, request, line.writing);
      return;
    }
    line.issued = request;
    line.now = { request, work };
    const over = () => {
      if (line.now?.work === work) line.now = undefined;
    };
    // What fails here is still the sweeper's to write.
    work.then(() => saved(line, request, line.writing), over);
  }

  function writeNow(): void {
    for (const line of lines.values()) {
      const request = line.requested;
      if (line.saved === request || line.now?.request === request) continue;
      const lost = (error: unknown) => logger.error(`${line.place.name}: not saved on leaving (${line.reason})`, error);
      try {
        const data = options.snapshot(line.key);
        if (data instanceof Promise)
          data.then((late) => (request > line.issued ? issueNow(line, request, late) : undefined)).catch(lost);
        else issueNow(line, request, data);
      } catch (error) {
        lost(error);
      }
    }
  }

  async function finish(timeoutMs: number): Promise<SnapshotCloseReport> {
    await Promise.all([...lines.values()].map(({ sweeper }) => sweeper.flush(timeoutMs).catch(() => undefined)));
    const why = new TidemarkError('closed', 'the snapshot writer was closed before this was saved');
    const left = [...lines.values()].filter((line) => line.requested > line.saved);
    for (const line of left) {
      line.sweeper.stop(why);
      for (const save of [...line.served.splice(0), ...line.saves.splice(0)]) save.reject(why);
      logger.error(`${line.place.name}: closed without being saved (${line.reason})`, failures.get(line.key)?.error);
    }
    target.close();
    leave();
    const unsaved = left.map(({ place, key, reason }) => ({ target: place.name, key, reason }));
    return { durable: left.length === 0, unsaved };
  }

  const close = ({ timeoutMs = 5000 } = {}): Promise<SnapshotCloseReport> => {
    closing ??= finish(timeoutMs);
    return closing;
  };

  const leave = lifecycle({ close, writeNow });
  return {
    request({ reason, key = '', force: atOnce = false }) {
      const line = ask(key, reason);
      if (atOnce) force(line);
      else line.sweeper.request();
    },
    async save(reason, key = '') {
      const line = ask(key, reason);
      await new Promise<void>((resolve, reject) => {
        line.saves.push({ resolve, reject });
        force(line);
      });
    },
    subscribe(listener) {
      const own = (state: SnapshotState) => listener(state);
      listeners.add(own);
      return () => listeners.delete(own);
    },
    state,
    close,
    async [Symbol.asyncDispose]() {
      await close();
    },
  };
}
