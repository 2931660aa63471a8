// The page in which drives.ts measures a drive beside LightningFS; both on IndexedDB.
import LightningFS from '@isomorphic-git/lightning-fs';
import { openVenue } from '../../src/browser';
import { openDrive } from '../../src/services/drives';
import { type Fs, measure, type System } from './drives-work';

Object.assign(globalThis, {
  async measureDrives(rounds: number) {
    const venue = await openVenue({ store: 'bench' });
    const lightning = new LightningFS('lightning').promises;
    const systems: Record<string, System> = {
      drive: { fs: openDrive(venue, 'bench'), root: '', settle: () => venue.flush() },
      LightningFS: { fs: lightning as unknown as Fs, root: '', settle: () => lightning.flush() },
    };
    return measure(systems, rounds);
  },
});
