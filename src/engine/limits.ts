// Every limit and delay of the engine, with its unit in the name and its reason beside it.

export const sweepMsDefault = 100;
/** Retries of a failed sweep start at the sweep's own delay, or at this, so that a delay of 0 does not make them a busy loop. */
export const retryMsMin = 50;
/** They double, and stop doubling here: soon enough after a disk is freed. */
export const retryMsMax = 5000;
/** close(): how long for the sweep in flight, the final flush, and the backend. */
export const closeSweepMsMax = 2000;
export const closeFlushMsMax = 5000;
export const closeBackendMsMax = 2000;

export const keyBytesMax = 1024;
export const regionNameMax = 64;
export const valueBytesMax = 16 * 1024 * 1024;
/** Estimated size at which a commit is frozen without waiting for its time: bounds its encoding, and keeps its text below the 512 MiB that an
 * engine's strings can have even if every character needs six. */
export const commitBytesTarget = 16 * 1024 * 1024;
/** A fork goes into one commit whole, so it has a limit. */
export const forkBytesMax = 32 * 1024 * 1024;

/** Target size of a chunk: big enough that an index of a million entries stays small, small enough to be decoded within a get(). */
export const chunkBytes = 64 * 1024;
/** Less than this left at the end of a rewritten stretch is carried into the next chunk, so that chunks do not crumble. */
export const chunkBytesMin = 16 * 1024;
/** A checkpoint holds a thread for so long at most before it lets others on. Turns overshoot, so this is less than half of what is promised (8 ms). */
export const sliceMs = 3;
/** Keys sorted in one go by a checkpoint: 1 to 2 ms. */
export const sortKeys = 2048;
/** Below this, a log is not worth a checkpoint: reading it takes about 0.1 s, and a small busy state would be written over and over. */
export const checkpointBytesMin = 16 * 1024 * 1024;
/** Nor are this many logs, however small: each opening that writes leaves one, and the next has to open them all. */
export const logsMax = 100;
/** A commit that is missing between others of a store that several write is waited for so long before checkpoints cover what follows it. */
export const holeMs = 24 * 3600 * 1000;
/** From this size on an asynchronous digest gains more than its turn costs. */
export const digestBytesMin = 16 * 1024;
/** A blob is hashed and handed on in pieces of this size: about 7 ms each where SHA-256 is slowest. */
export const blobPieceBytes = 1024 * 1024;
/** Where others write, too, a blob that nothing names is kept for so long after it was put: a page may be frozen before it writes the name. */
export const blobGraceMs = 24 * 3600 * 1000;
/** How often what is remembered outside the store is brought up to date while sweeps go on. */
export const markMs = 1000;
/** Characters of localStorage that the journal of a venue may take, all tabs together: of about 5 Mi that an origin has. */
export const journalBytesDefault = 1024 * 1024;
/** Writers that an opening of a store that others write, too, goes on naming in its checkpoints: each opening is one. */
export const coversMax = 1024;
/** On a store that others write too, a deletion is remembered for so long: a tab frozen longer than this may bring an entry back. */
export const tombstoneMs = 30 * 24 * 3600 * 1000;
