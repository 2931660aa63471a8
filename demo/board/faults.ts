// A backend around the real one, which can be made to fail as disks do, and which remembers the signatures of what it wrote. Knows no notes.
import { type Backend, TidemarkError } from 'tidemark';

type Methods = { [K in keyof Backend]?: unknown };
type Append = Backend['append'];

/** How it fails: the word of the system or browser, which the backend for IndexedDB passes on in the same way. */
export const faults = { disk: 'EIO', quota: 'QuotaExceededError' };
export type Fault = keyof typeof faults;

export interface FaultyBackend {
  readonly backend: Backend;
  /** Every write fails so from now on, or works again. */
  fault: Fault | undefined;
  /** The signature on a commit that was handed over, by the commit's hash. */
  signatureOf(hash: string): string | undefined;
}

/** Everything that the inner backend has goes on working, its optional methods, too; only what writes asks for the fault first. */
export function faulty(inner: Backend): FaultyBackend {
  const signatures = new Map<string, string>();
  const check = () => {
    if (!outer.fault) return;
    const code = faults[outer.fault];
    throw new TidemarkError('io', `${inner.target}: cannot write: ${code}`, {
      cause: Object.assign(new Error(code), { code }),
    });
  };
  const append: Append = async (commit, at, durability) => {
    signatures.set(at.hash, signatureIn(commit));
    if (signatures.size > 100) signatures.delete(signatures.keys().next().value!);
    check();
    return inner.append(commit, at, durability);
  };
  const methods: Methods = {
    append,
    ...(inner.appendNow && {
      appendNow: (...args: Parameters<NonNullable<Backend['appendNow']>>) => {
        check();
        return inner.appendNow!(...args);
      },
    }),
    checkpoint: async (...args: Parameters<Backend['checkpoint']>) => {
      check();
      return inner.checkpoint(...args);
    },
  };
  const backend = new Proxy(inner, {
    get(_, name) {
      const value = methods[name as keyof Backend] ?? Reflect.get(inner, name, inner);
      return typeof value === 'function' ? value.bind(inner) : value;
    },
  });
  const outer: FaultyBackend = { backend, fault: undefined, signatureOf: (hash) => signatures.get(hash) };
  return outer;
}

/** A line begins `["<header>.<payload>.<signature>",`; docs/FORMAT.md. */
function signatureIn(line: Uint8Array): string {
  const end = line.indexOf('"'.charCodeAt(0), 2);
  return new TextDecoder().decode(line.subarray(2, end)).split('.')[2] ?? '';
}
