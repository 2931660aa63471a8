// Where the time of a measured stretch went: functions by self time, from V8's sampling profiler. On with BENCH_PROFILE.
import { type Profiler, Session } from 'node:inspector';

const LINES = 25;
const SAMPLE_US = 250;

/** Starts sampling if the environment asks for it; what is returned stops it and prints to stderr. */
export function startProfile(): () => void {
  if (!process.env.BENCH_PROFILE) return () => {};
  // Connected to its own thread, so each post is done when it returns.
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });
  session.post('Profiler.start');
  return () => {
    session.post('Profiler.stop', (error, { profile }) => {
      process.stderr.write(`${error?.message ?? bySelfTime(profile).join('\n')}\n`);
    });
    session.disconnect();
  };
}

/** The first lines of a table. */
export function bySelfTime({
  nodes,
  samples = [],
  timeDeltas = [],
}: Pick<Profiler.Profile, 'nodes' | 'samples' | 'timeDeltas'>): string[] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const file = url.replace(/^.*\//, '');
      return [id, `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`];
    }),
  );
  const self = new Map<string, number>();
  let total = 0;
  samples.forEach((id, i) => {
    const name = names.get(id)!;
    const us = timeDeltas[i] ?? 0;
    total += us;
    self.set(name, (self.get(name) ?? 0) + us);
  });
  return [...self]
    .sort((a, b) => b[1] - a[1])
    .slice(0, LINES)
    .map(
      ([name, us]) =>
        `${((100 * us) / total).toFixed(1).padStart(5)}%  ${(us / 1000).toFixed(1).padStart(8)} ms  ${name}`,
    );
}
