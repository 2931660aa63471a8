// What every backend promises (src/backend.ts), as one suite: fs, memory, IndexedDB in real browsers and those to come
// run it unchanged. So it knows no platform, and sees a store only through Backend and the few things a World can do.
import { describe } from 'vitest';
import { blobsContract } from './backends/contract/blobs';
import { checkpointsContract } from './backends/contract/checkpoints';
import { commitsContract } from './backends/contract/commits';
import { othersContract } from './backends/contract/others';
import { setStage, type World } from './backends/contract/stage';

export { makeCommit, type World } from './backends/contract/stage';

/** Registers the suite for one kind of backend. `make` gives a new, empty storage. */
export function backendContract(name: string, make: () => World | Promise<World>): void {
  describe(`${name} keeps the contract of a backend`, () => {
    const stage = setStage(make);
    commitsContract(stage);
    checkpointsContract(stage);
    blobsContract(stage);
    othersContract(stage);
  });
}
