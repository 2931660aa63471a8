// Health for those outside of the program: over HTTP, for Prometheus and OpenTelemetry, and as a packet for somebody far away. What is told is made in
// health/; here is only what the module offers. Knows the venue's face only.
import type { Venue } from '../venue';
import { recorderOf } from './health/recorder';

export { type DiagnosticsPacket, diagnostics } from './health/diagnostics';
export { type HealthHandlerOptions, type HealthRequest, type HttpError, healthHandler } from './health/http';
export { instrument, type Meter } from './health/instrument';
export type { RecordedEvent } from './health/recorder';
export type { Capabilities, HealthView } from './health/redacted';
export { apiVersion, libraryVersion, NegotiationError, negotiate } from './health/version';

/** Remembers the venue's last 100 events and failures from now on, for diagnostics(). Call it right after openVenue(). */
export function recordEvents(venue: Venue): void {
  recorderOf(venue);
}
