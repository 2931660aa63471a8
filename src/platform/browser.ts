// What a browser has of its own: localStorage as the store beside the database, SHA-256 off the main thread, turns of the event loop that are not
// throttled as timers are.
import type { Bytes } from '../base/bytes';
import type { SyncStore } from '../base/seams';

/** The part of localStorage that is one venue's. Undefined where there is none: in workers, and where it is forbidden. */
export function localStore(name: string): SyncStore | undefined {
  const prefix = `tidemark/${name}/`;
  try {
    const { localStorage } = globalThis;
    localStorage.getItem(prefix); // forbidden ones throw here at the latest
    return {
      keys: () =>
        Object.keys(localStorage)
          .filter((key) => key.startsWith(prefix))
          .map((key) => key.slice(prefix.length)),
      get: (key) => localStorage.getItem(prefix + key) ?? undefined,
      set: (key, text) => localStorage.setItem(prefix + key, text),
      remove: (key) => localStorage.removeItem(prefix + key),
    };
  } catch {
    return undefined;
  }
}

/** crypto.subtle's SHA-256: 7 times as fast as noble's, for bytes worth a turn. Absent on pages that are not secure contexts. */
export const subtleDigest = globalThis.crypto?.subtle
  ? async (bytes: Bytes): Promise<Bytes> => new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes))
  : undefined;

/** A task of its own, without the 4 ms (or, hidden, the second) that a timer takes. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** Once the browser has nothing better to do. */
export function whenIdle(work: () => void): void {
  if (globalThis.requestIdleCallback) globalThis.requestIdleCallback(work);
  else setTimeout(work, 200); // WebKit, and workers
}
