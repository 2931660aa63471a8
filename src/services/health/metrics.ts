// What is counted and measured of a venue: one table, from which the text for Prometheus and the instruments of OpenTelemetry are made, so that
// both have the same names. Names are OpenTelemetry's; Prometheus' are made of them by its rules. Knows no transport.
import type { Venue } from '../../venue';
import { boundsSeconds, type Recorder, recorderOf, timed } from './recorder';
import { capabilitiesOf } from './redacted';

type Health = ReturnType<Venue['health']>;

/** Names stand after `tidemark.`; units are seconds, bytes, or what is counted. What is undefined the platform does not say. */
type Metric = [
  kind: 'gauge' | 'counter',
  name: string,
  unit: 's' | 'By' | `{${string}}`,
  help: string,
  read: (health: Health, seen: Recorder) => number | undefined,
];

export const metrics: readonly Metric[] = [
  ['gauge', 'unsaved.entries', '{entry}', 'Entries written and not durable yet.', (h) => h.unsaved.entries],
  ['gauge', 'unsaved.age', 's', 'Age of the oldest entry that is not durable yet.', (h) => h.unsaved.oldestMs / 1000],
  ['counter', 'sweeps', '{sweep}', 'Commits that became durable.', (h) => h.sweeps],
  [
    'counter',
    'sweep.entries',
    '{entry}',
    'Entries in commits that became durable.',
    (_, seen) => seen.total('sweep.entries'),
  ],
  ['counter', 'sweep.size', 'By', 'Bytes of commits that became durable.', (_, seen) => seen.total('sweep.bytes')],
  [
    'counter',
    'joined.entries',
    '{entry}',
    'Entries heard of from other writers.',
    (_, seen) => seen.total('joined.entries'),
  ],
  ['counter', 'failures', '{failure}', 'Writes that failed.', (h) => h.failures],
  ['counter', 'checkpoints', '{checkpoint}', 'Checkpoints made.', (h) => h.checkpoints],
  ['gauge', 'store.size', 'By', 'Bytes that the store takes.', (h) => h.usage?.bytes],
  ['gauge', 'store.quota', 'By', 'Bytes that the store may take.', (h) => h.usage?.quota],
  ['gauge', 'journal.size', 'By', 'Bytes that the journal takes.', (h) => only(h, h.journal.bytes)],
  [
    'gauge',
    'journal.unfit',
    '{entry}',
    'Unsaved entries that do not fit into the journal.',
    (h) => only(h, h.journal.unfit),
  ],
  ['gauge', 'hidden.entries', '{entry}', 'Entries kept but not shown.', (h) => h.recovery.quarantined.length],
  ['gauge', 'recovery.damage', '{place}', 'Damaged places found at opening.', (h) => h.recovery.damage.length],
  ['gauge', 'recovery.torn', 'By', 'Bytes that a crash had left unfinished.', (h) => h.recovery.tornBytes],
  [
    'gauge',
    'recovery.lost',
    '{store}',
    '1 if the store was gone or had gone back.',
    (h) => Number(h.recovery.evicted || h.recovery.rolledBack),
  ],
  ['gauge', 'recovery.duration', 's', 'Time that opening took.', (h) => h.recovery.tookMs / 1000],
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
  for (const [kind, name, unit, help, read] of metrics) {
    const value = read(health, seen);
    if (value === undefined) continue;
    const base = unit === 's' ? '_seconds' : unit === 'By' ? '_bytes' : '';
    const full = `tidemark_${name.replaceAll('.', '_')}${base}${kind === 'counter' ? '_total' : ''}`;
    begin(full, kind, help);
    lines.push(`${full} ${value}`);
  }
  for (const what of timed) {
    const name = `tidemark_${what}_duration_seconds`;
    const count = seen.total(what);
    begin(name, 'histogram', durationHelp);
    for (const bound of boundsSeconds) lines.push(`${name}_bucket{le="${bound}"} ${seen.total(`${what}<=${bound}`)}`);
    lines.push(`${name}_bucket{le="+Inf"} ${count}`);
    lines.push(`${name}_sum ${seen.total(`${what}.tookMs`) / 1000}`, `${name}_count ${count}`);
  }
  return `${lines.join('\n')}\n`;
}
