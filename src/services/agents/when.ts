// When something is due, once or again and again. Pure functions; how a cron pattern is read is the program's business.
import { TidemarkError } from '../../base/errors';

/**
 * Once at a time; or every so many ms, from `at` on (default: one interval from now); or by a cron pattern. Times are ms since 1970 or a Date.
 */
export type When = number | Date | { every: number; at?: number | Date } | { cron: string };

/** The same as it is stored. */
export type StoredWhen = number | { every: number; at: number } | { cron: string };

/** The first time after `after` at which a cron pattern comes due, e.g. `(pattern, after) => new Cron(pattern).nextRun(after)` with croner. */
export type CronReader = (pattern: string, after: Date) => Date | null | undefined;

/** What fits into the nine digits of a key: until the year 5188. */
const timeMax = 36 ** 9;

/** @throws TidemarkError `bad_option` */
export function timeOf(time: number | Date): number {
  const ms = Math.floor(Number(time));
  if (ms >= 0 && ms < timeMax) return ms;
  throw new TidemarkError('bad_option', `agents: ${String(time)} is not a time; it is ms since 1970 or a Date`);
}

/** @throws TidemarkError `bad_option` */
export function storedWhen(when: When, now: number): StoredWhen {
  if (typeof when !== 'object' || when instanceof Date) return timeOf(when);
  if ('cron' in when) return { cron: when.cron };
  const { every, at = now + every } = when;
  if (every >= 1) return { every, at: timeOf(at) };
  throw new TidemarkError('bad_option', `agents: \`every\` is a number of milliseconds from 1, not ${String(every)}`);
}

/**
 * The next time after `after`; undefined if there is none. Times that were missed are one: of an hourly one that lay still for three days, one
 * is overdue, and the next is less than an hour away.
 * @throws TidemarkError `bad_option` for a cron pattern that cannot be read
 */
export function nextTime(when: StoredWhen, after: number, cron: CronReader | undefined): number | undefined {
  if (typeof when === 'number') return undefined;
  if ('every' in when) {
    const { at, every } = when;
    return Math.floor(at + Math.max(0, Math.floor((after - at) / every) + 1) * every);
  }
  if (!cron)
    throw new TidemarkError(
      'bad_option',
      'agents: a cron pattern needs `cron`, which reads it; see docs/services/agents',
    );
  try {
    const next = cron(when.cron, new Date(after));
    return next ? timeOf(next) : undefined;
  } catch (cause) {
    throw new TidemarkError('bad_option', `agents: cron pattern '${when.cron}': ${(cause as Error).message}`, {
      cause,
    });
  }
}
