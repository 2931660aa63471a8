// A bar on what takes more than a second: on stderr, and only on a terminal (cli-progress sees to that). Knows nothing of the work.
import { SingleBar } from 'cli-progress';
import { size } from './output';

/** What takes less needs no bar. */
const quietMs = 1000;

export interface Progress {
  /** So many bytes more are done. */
  add(bytes: number): void;
  /** A new stretch of work, from 0. */
  begin(label: string, total: number): void;
  stop(): void;
}

export function createProgress(
  stream: NodeJS.WriteStream = process.stderr,
  elapsedMs = () => performance.now(),
): Progress {
  const began = elapsedMs();
  let bar: SingleBar | undefined;
  let [label, done, total] = ['', 0, 0];
  const payload = () => ({ label, amount: `${size(done)} of ${size(total)}` });
  return {
    begin(nextLabel, nextTotal) {
      [label, done, total] = [nextLabel, 0, nextTotal];
      bar?.setTotal(Math.max(1, total));
      bar?.update(0, payload());
    },
    add(bytes) {
      done += bytes;
      total = Math.max(total, done);
      if (!bar) {
        if (elapsedMs() - began < quietMs) return;
        const options = { stream, clearOnComplete: true, hideCursor: true };
        bar = new SingleBar({ ...options, format: '{label} [{bar}] {percentage}%  {amount}' });
        bar.start(Math.max(1, total), done, payload());
      } else bar.update(done, payload());
    },
    stop() {
      bar?.stop();
      bar = undefined;
    },
  };
}
