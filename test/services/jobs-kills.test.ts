// A real program that works on jobs, killed with SIGKILL in mid-work many times in a row on one store: every end that it was told of is there, no
// job has two, what it had in hand is shown, and becomes what its policy says.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVenue } from '../../src/node';
import { type Job, type JobPolicy, type JobStatus, openJobs } from '../../src/services/jobs';
import { Random } from '../simulator/random';
import type { JobsOptions } from './children/jobs';
import { mortal } from './mortal';

const lives = 50;
/** By op. */
const policies: Record<string, JobPolicy> = { again: 'retry', never: 'fail', asked: 'ask' };

const child = mortal<JobsOptions>('jobs');

describe('jobs of a process that is killed in mid-work, fifty times', () => {
  it('have the ends that it was told of, and what it had in hand is recovered by policy', async () => {
    const store = child.at('venue.etch');
    const random = new Random(8);
    /** What any life was told: it must be so for ever. */
    const ends = new Map<string, JobStatus>();
    const attempts = new Map<string, number>();
    const starts = new Set<string>();
    const counts = { ended: 0, inHand: 0, retried: 0, redacted: 0, early: 0 };

    for (let life = 1; life <= lives; life++) {
      const trace = child.at(`trace.${life}`);
      // Now and then in the middle of recovering.
      const early = life % 5 === 0;
      const [word, ms] = early ? ['opened', 15] : ['working', 150];
      const lines = await child.live({ store, trace, policies }, word, random.below(ms));
      if (early) counts.early++;

      for (const { what, data } of lines) {
        const [id, said] = data as [string, never];
        if (what === 'ended') {
          expect(ends.get(id) ?? said).toBe(said);
          ends.set(id, said);
          counts.ended++;
        }
        if (what === 'retried' || what === 'started') {
          expect(attempts.get(id) ?? 0).toBeLessThanOrEqual(said);
          attempts.set(id, said);
        }
        if (what === 'retried') counts.retried++;
        if (what === 'started') {
          expect(starts, 'no attempt is started twice').not.toContain(`${id} ${said}`);
          starts.add(`${id} ${said}`);
        }
      }
      if (life % 2 === 1 && life !== lives) continue; // the next life finds it as the kill left it

      const venue = await openVenue({ store, signals: false });
      expect(venue.health()).toMatchObject({ status: 'ok', recovery: { damage: [], holes: [] } });
      const jobs = openJobs(venue, { policies });
      const all = jobs.list().jobs;
      for (const job of all) check(job);
      for (const [id, status] of ends) expect(jobs.get(id)?.status).toBe(status);
      for (const [id, attempt] of attempts) expect(jobs.get(id)?.attempt).toBeGreaterThanOrEqual(attempt);
      expect(jobs.recoverable()).toEqual(all.filter(({ status }) => status === 'PENDING' || status === 'STARTED'));
      counts.inHand += jobs.recoverable().length;
      counts.redacted += all.filter(({ redacted }) => redacted).length;
      await venue.close();

      function check(job: Job): void {
        const { id, op, status, attempt, redacted, error } = job;
        const history = jobs.history(id);
        const isEnd = (status: JobStatus) => ['COMPLETE', 'FAILED', 'CANCELLED', 'REJECTED'].includes(status);
        expect(history.map((event) => event.status).filter(isEnd)).toEqual(isEnd(status) ? [status] : []);
        expect(history.at(-1)).toMatchObject({ status, attempt });
        for (const [i, event] of history.entries())
          expect(event.attempt - (history[i - 1]?.attempt ?? 1)).toBe(event.status === 'PENDING' && i > 0 ? 1 : 0);
        // As its policy says: one more attempt, the end, or nothing but what it was told.
        if (attempt > 1) expect({ op, redacted }).toEqual({ op: 'again', redacted: undefined });
        if ((error as { code?: string } | undefined)?.code === 'lease_lost') expect(op).toBe('never');
        expect((job.input as { secret?: string }).secret).toBe(redacted && '[redacted]');
      }
    }
    // Had nothing been on its way when they died, these deaths would have shown nothing.
    expect(counts.inHand).toBeGreaterThan(lives / 2);
    expect(counts.retried).toBeGreaterThan(lives / 10);
    expect(counts.redacted).toBeGreaterThan(0);
    for (const name of await readdir(store))
      if (/^(log|checkpoint)\./.test(name)) expect(await readFile(join(store, name), 'utf8')).not.toContain('S3CRET');
    console.log(`${lives} kills of a program that works on jobs: ${JSON.stringify(counts)}, ${starts.size} starts`);
  }, 600_000);
});
