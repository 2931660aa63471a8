// Who was first, where several writers may change the same job at the same moment. One of them at most is told that it was, and what it was told
// stands. Knows states and the venue's face.
import type { Region, Venue } from '../../venue';
import { leaseMs } from '../liveness';
import type { JobState } from './state';

/**
 * Makes the change `ev` durable, then looks at what others have made durable: of any two at least one sees the other. A change that saw none, or
 * that is the first of all and whose rivals have all given way, is sealed: that stands above every change of its rank, also one that was made before
 * it and becomes durable later. One that was not the first gives way. Nobody does both, so no two are sealed. Who waits for a rival that is gone
 * does so for as long as a lease holds.
 */
export async function agree(venue: Venue, states: Region<JobState>, id: string, ev: string): Promise<void> {
  await venue.catchUp();
  if (!decide(states, id, ev, false)) {
    await new Promise<void>((resolve) => {
      const end = () => {
        for (const stop of stops) stop();
        venue.clock.clearTimeout(timer);
        resolve();
      };
      const timer = venue.clock.setTimeout(end, leaseMs);
      const stops = [states.subscribe(id, () => decide(states, id, ev, false) && end()), venue.on('closing', end)];
    });
    await venue.catchUp();
    decide(states, id, ev, true);
  }
  await venue.flush();
}

/** @param final whoever has not given way by now is gone. @returns whether it is known what stands */
function decide(states: Region<JobState>, id: string, ev: string, final: boolean): boolean {
  const state = states.get(id)!;
  const { rivals = {}, sealed } = state;
  const first = state.ev === ev;
  // Sealed, or something else was done to the job since.
  if (sealed || !(first || ev in rivals)) return true;
  if (!first) {
    if (!rivals[ev]) states.set(id, { ...state, rivals: { ...rivals, [ev]: 1 } });
    return false;
  }
  if (!final && Object.values(rivals).includes(0)) return false;
  states.set(id, { ...state, sealed: true, rivals: undefined });
  return true;
}
