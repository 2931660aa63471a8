// What is counted and measured of a venue: one table, from which the text for Prometheus and the instruments of OpenTelemetry are made, so that
// both have the same names. Names are OpenTelemetry's; Prometheus' are made of them by its rules. Knows no transport.
import type { Venue } from '../../venue';
import { boundsSeconds, type Recorder, recorderOf, timed } from './recorder';
import { capabilitiesOf } from './redacted';

type Health = ReturnType<Venue['health']>;

interface Metric {
  /** After `tidemark.`. */
  readonly name: string;
  readonly kind: 'gauge' | 'counter';
  /** Seconds, bytes, or what is counted. */
  readonly unit: 's' | 'By' | `{${string}}`;
  readonly help: string;
  /** Undefined where the platform does not say. */
  readonly read: (health: Health, seen: Recorder) => number | undefined;
}

const metric = (
  kind: Metric['kind'],
  name: string,
  unit: Metric['unit'],
  help: string,
  read: Metric['read'],
): Metric => ({
  name,
  kind,
  unit,
  help,
  read,
});

export const metrics: readonly Metric[] = [
  metric('gauge', 'unsaved.entries', '{entry}', 'Entries written and not durable yet.', (h) => h.unsaved.entries),
  metric('gauge', 'unsaved.age', 's', 'Age of the oldest of them.', (h) => h.unsaved.oldestMs / 1000),
  metric('counter', 'sweeps', '{sweep}', 'Commits that became durable.', (h) => h.sweeps),
  metric('counter', 'sweep.entries', '{entry}', 'Entries in them.', (_, seen) => seen.swept.entries),
  metric('counter', 'sweep.size', 'By', 'Bytes of them.', (_, seen) => seen.swept.bytes),
  metric('counter', 'joined.entries', '{entry}', 'Entries heard of from other writers.', (_, seen) => seen.joined),
  metric('counter', 'failures', '{failure}', 'Writes that failed.', (h) => h.failures),
  metric('counter', 'checkpoints', '{checkpoint}', 'Checkpoints made.', (h) => h.checkpoints),
  metric('gauge', 'store.size', 'By', 'What the store takes.', (h) => h.usage?.bytes),
  metric('gauge', 'store.quota', 'By', 'What it may take in all.', (h) => h.usage?.quota),
  metric('gauge', 'journal.size', 'By', 'What the journal takes.', (h) => only(h, h.journal.bytes)),
  metric('gauge', 'journal.unfit', '{entry}', 'Unsaved entries that do not fit in it.', (h) =>
    only(h, h.journal.unfit),
  ),
  metric('gauge', 'hidden.entries', '{entry}', 'Entries kept but not shown.', (h) => h.recovery.quarantined.length),
  metric('gauge', 'recovery.damage', '{place}', 'Damaged places found at opening.', (h) => h.recovery.damage.length),
  metric('gauge', 'recovery.torn', 'By', 'Bytes that a crash had left unfinished.', (h) => h.recovery.tornBytes),
  metric('gauge', 'recovery.lost', '{store}', '1 if the store was gone or had gone back.', (h) =>
    Number(h.recovery.evicted || h.recovery.rolledBack),
  ),
  metric('gauge', 'recovery.duration', 's', 'What opening took.', (h) => h.recovery.tookMs / 1000),
];

const only = ({ journal }: Health, value: number): number | undefined => (journal.available ? value : undefined);

export const statuses: readonly Health['status'][] = ['ok', 'degraded', 'failing', 'closed'];
export const statusHelp = '1 for the status that the venue has.';
export const durationHelp = 'Time from its beginning until it was durable.';

/** Prometheus' text exposition format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats */
export function prometheusText(venue: Venue): string {
  const seen = recorderOf(venue);
  const health = venue.health();
  const lines: string[] = [];
  const begin = (name: string, type: string, help: string) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
  };
  const { versions, store, apiVersion } = capabilitiesOf(health);
  const info = { version: versions.tidemark, format: versions.format, api: apiVersion, store, venue: health.venue };
  begin('tidemark_info', 'gauge', 'Always 1; what it is.');
  lines.push(
    `tidemark_info{${Object.entries(info).map(([name, fact]) => `${name}=${JSON.stringify(String(fact))}`)}} 1`,
  );
  begin('tidemark_status', 'gauge', statusHelp);
  for (const status of statuses) lines.push(`tidemark_status{status="${status}"} ${Number(status === health.status)}`);
  for (const { name, kind, unit, help, read } of metrics) {
    const value = read(health, seen);
    if (value === undefined) continue;
    const base = unit === 's' ? '_seconds' : unit === 'By' ? '_bytes' : '';
    const full = `tidemark_${name.replaceAll('.', '_')}${base}${kind === 'counter' ? '_total' : ''}`;
    begin(full, kind, help);
    lines.push(`${full} ${value}`);
  }
  for (const what of timed) {
    const { counts, count, sum } = seen.took[what];
    const name = `tidemark_${what}_duration_seconds`;
    begin(name, 'histogram', durationHelp);
    for (const [i, bound] of boundsSeconds.entries()) lines.push(`${name}_bucket{le="${bound}"} ${counts[i]}`);
    lines.push(`${name}_bucket{le="+Inf"} ${count}`, `${name}_sum ${sum}`, `${name}_count ${count}`);
  }
  return `${lines.join('\n')}\n`;
}
