// The names of files in a store's folder, made and read. Pure; docs/FORMAT.md says the same in words.

export interface StoreName {
  readonly kind: 'checkpoint' | 'unfinished' | 'log';
  readonly generation: number;
}

export const lockName = 'LOCK';
export const quarantineName = 'quarantine';
export const blobsName = 'blobs';

/** The hash of a blob, which is its name. */
export const isBlobName = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

export const checkpointName = (generation: number): string => `checkpoint.${generation}`;

/** A checkpoint while it is being written. Found at open, it is what a crash has left: never the only copy of anything. */
export const unfinishedName = (generation: number): string => `${checkpointName(generation)}.tmp`;

/** `attempt` 0 is a writer's first file of a generation; each later one stands in for a file that failed, or for appendNow. */
export const logName = (generation: number, writer: string, attempt: number): string =>
  `log.${generation}.${writer}${attempt === 0 ? '' : `.${attempt}`}`;

// 15 digits: every such number is exact.
const pattern = /^(?:(checkpoint)\.([1-9]\d{0,14})(\.tmp)?|log\.(0|[1-9]\d{0,14})\.[0-9a-f]+(?:\.[1-9]\d{0,14})?)$/;

/** @returns undefined for a name that is not ours, or that we would not have written: it is left alone. */
export function parseName(name: string): StoreName | undefined {
  const parts = pattern.exec(name);
  if (!parts) return undefined;
  if (!parts[1]) return { kind: 'log', generation: Number(parts[4]) };
  return { kind: parts[3] ? 'unfinished' : 'checkpoint', generation: Number(parts[2]) };
}
