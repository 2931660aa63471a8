// The face of Tidemark: what node.ts and browser.ts both offer beside their openVenue.
export type { Backend, Usage } from './backend';
export { type ErrorCode, FlushTimeoutError, LockedError, TidemarkError, ValueError } from './base/errors';
export type { Clock, Logger } from './base/seams';
export type { CheckpointInfo, CloseReport, CommitInfo, FailureInfo, SweepInfo, VenueEvents } from './engine/events';
export type { Health } from './engine/health';
export type { Damage, RecoveryReport } from './engine/recovery';
export type { ScanOptions } from './engine/scan';
export type { RegionOptions, StandardSchema } from './engine/schema';
export type { Change, Listener } from './engine/subscribers';
export type { Join } from './lattice/joins';
export type { ForkedVenue, ReadonlyRegion, Region, UnsavedFlag, Venue, VenueOptions, WritableRegion } from './venue';
