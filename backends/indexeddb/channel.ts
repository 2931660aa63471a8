// How tabs tell each other of commits. Whoever is not there to hear it finds the commit in the store. Knows nothing of the
// database.
import type { Bytes } from '../../src/backend';

export type Listener = (commit?: Bytes) => void;

export interface Announcements {
  /** Without a commit: there is one that has to be looked for. */
  post(commit?: Bytes): void;
  listen(listener: Listener): () => void;
  open(): void;
  /** A message to a page that the browser keeps for going back would make it drop the page. */
  close(): void;
}

/**
 * What is looked for was issued a moment ago by a page that goes away. A transaction that has to wait for that one would have Chromium drop the
 * page instead of keeping it for going back.
 */
const settledMs = 100;

export function announcements(name: string, Channel: typeof BroadcastChannel | undefined): Announcements {
  const listeners = new Set<Listener>();
  let channel: BroadcastChannel | undefined;
  let missed = false;
  let looking: ReturnType<typeof setTimeout> | undefined;

  function hear({ data }: MessageEvent): void {
    const commit = data?.commit instanceof ArrayBuffer ? new Uint8Array(data.commit) : data?.commit;
    if (commit instanceof Uint8Array) for (const listener of listeners) listener(commit.slice() as Bytes);
    else if (data?.newer === true) {
      looking ??= setTimeout(() => {
        looking = undefined;
        for (const listener of listeners) listener();
      }, settledMs);
    }
  }

  const announced: Announcements = {
    post(commit) {
      if (!channel) missed = true;
      // A copy: what surrounds the bytes would be sent along.
      else channel.postMessage(commit ? { commit: commit.slice() } : { newer: true });
    },
    listen(listener) {
      const one: Listener = (commit) => listener(commit);
      listeners.add(one);
      return () => listeners.delete(one);
    },
    open() {
      if (channel || !Channel) return;
      try {
        channel = new Channel(name);
      } catch {
        return; // a page without an origin of its own: it is alone
      }
      channel.onmessage = hear;
      if (missed) announced.post();
      missed = false;
    },
    close() {
      clearTimeout(looking);
      looking = undefined;
      channel?.close();
      channel = undefined;
    },
  };
  return announced;
}
