// Secrets in a page, as the tests drive them from outside.
import { openVenue, type Venue } from '../../../src/browser';
import { openSecrets, type Secrets, type SecretsKey } from '../../../src/services/secrets';
import { dump } from './dump';

let venue: Venue | undefined;
let secrets: Secrets | undefined;

/** @returns the code of what it throws, or 'ok' */
async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'ok';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

const page = {
  async open(store: string): Promise<void> {
    venue = await openVenue({ store });
  },
  openSecrets: (key: SecretsKey) =>
    codeOf(async () => {
      secrets = await openSecrets(venue!, key);
    }),
  set: (name: string, value: string) => codeOf(() => secrets!.set(name, value)),
  /** 32 bytes, each of which is this. */
  setBytes: (name: string, byte: number) => codeOf(() => secrets!.set(name, new Uint8Array(32).fill(byte))),
  rekey: (key: SecretsKey) => codeOf(() => secrets!.rekey(key)),
  async get(name: string): Promise<string | number[] | undefined> {
    const value = secrets!.get(name);
    return value instanceof Uint8Array ? [...value] : value;
  },
  codeOfGet: (name: string) => codeOf(() => secrets!.get(name)),
  async list(): Promise<string[]> {
    return secrets!.list();
  },
  flush: () => venue!.flush(),
  /** All that the origin holds of it, as text. */
  stored: async (store: string) => JSON.stringify([await dump(store), { ...localStorage }]),
  close: () => venue!.close(),
};

export type SecretsPage = typeof page;
Object.assign(globalThis, { tidemarkTest: page });

// A browser without a driver tells its pages by a script what to do (engines/minibrowser.ts).
const remote = /^#remote=(.+)$/.exec(location.hash)?.[1];
if (remote) document.head.append(Object.assign(document.createElement('script'), { src: remote }));
