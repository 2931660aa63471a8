// The contract of a backend in a page, on the browser's own IndexedDB.
import { indexeddbBackend, removeDatabase } from '../../../backends/indexeddb';
import { backendContract } from '../../backend-contract';
import { runTests, testNames } from './runner';

let worlds = 0;

backendContract('indexeddb', () => {
  const name = `world-${++worlds}`;
  const channels = new Set<BroadcastChannel>();
  class Channel extends BroadcastChannel {
    constructor(to: string) {
      super(to);
      channels.add(this);
    }
  }
  const shut = () => {
    for (const channel of channels) channel.close();
    channels.clear();
  };
  return {
    backend: () => indexeddbBackend(name, { Channel }),
    kill: shut,
    quarantined: () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open(name);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const reading = opening.result.transaction('quarantine').objectStore('quarantine').getAll();
          reading.onerror = () => reject(reading.error);
          reading.onsuccess = () => {
            opening.result.close();
            resolve(reading.result.map(({ bytes }) => new Uint8Array(bytes)));
          };
        };
      }),
    async destroy() {
      shut();
      await removeDatabase(name);
    },
  };
});

const contract = { names: testNames, run: runTests };

export type ContractPage = typeof contract;
Object.assign(globalThis, { tidemarkTest: contract });
