// Who was first, where several writers may finish the same job at the same moment. One of them at most is told that it was, and what it was told
// stands. Knows states and the venue's face.
import type { Region, Venue } from '../../venue';
import { leaseMs } from '../liveness';
import type { JobState } from './state';

/**
 * After the end `ev` was made durable: looks at what others have made durable. Of any two at least one sees the other. An end that saw none, or that
 * is the first of all and whose rivals have all given way, is sealed: that stands above every other, also above one that was made before it and
 * becomes durable later. One that was not the first gives way. Nobody does both, so no two are sealed. Who waits for a rival that is gone does so
 * for as long as a lease holds.
 */
export async function agree(venue: Venue, states: Region<JobState>, id: string, ev: string): Promise<void> {
  await venue.catchUp();
  if (!decide(states, id, ev, false)) {
    await wait(venue, leaseMs, (end) => states.subscribe(id, () => decide(states, id, ev, false) && end()));
    await venue.catchUp();
    decide(states, id, ev, true);
  }
  await venue.flush();
}

/** @param final whoever has not given way by now is gone. @returns whether it is known what stands */
function decide(states: Region<JobState>, id: string, ev: string, final: boolean): boolean {
  const state = states.get(id)!;
  const { rivals = {}, sealed } = state;
  if (sealed) return true;
  if (state.ev !== ev) {
    if (!rivals[ev]) states.set(id, { ...state, rivals: { ...rivals, [ev]: 1 } });
    return false;
  }
  if (!final && Object.values(rivals).includes(0)) return false;
  states.set(id, { ...state, sealed: true, rivals: undefined });
  return true;
}

/** Resolves after so many ms, when `until` says so, or when the venue closes. @param until starts to look, and returns what stops it */
export const wait = (venue: Venue, ms: number, until?: (end: () => void) => () => void): Promise<void> =>
  new Promise((resolve) => {
    const end = () => {
      for (const stop of stops) stop();
      venue.clock.clearTimeout(timer);
      resolve();
    };
    const timer = venue.clock.setTimeout(end, ms);
    const stops = [venue.on('closing', end), ...(until ? [until(end)] : [])];
  });
