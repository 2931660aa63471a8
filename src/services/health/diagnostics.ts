// One packet about a venue to be handed to somebody else: what it is, how it is, what happened to it last. No values, no keys of entries, no
// messages, no folders. Knows the venue's face only; a store's files are looked at by the command line, which makes a packet of its own.
import type { Venue } from '../../venue';
import { redactFields } from '../redact';
import { runtimeFacts } from './platform';
import { type RecordedEvent, recorderOf } from './recorder';
import { type Capabilities, capabilitiesOf, type HealthView, viewOf } from './redacted';

/** See diagnostics(). Plain JSON. */
export interface DiagnosticsPacket {
  /** ISO 8601, by the venue's clock. */
  madeAt: string;
  versions: Capabilities['versions'];
  platform: Record<string, unknown>;
  health: Omit<HealthView, 'recovery' | 'versions' | 'features'>;
  capabilities: Capabilities;
  recovery: HealthView['recovery'];
  /** Their names. */
  regions: string[];
  recordedSince: string;
  /** The last 100 of each, oldest first. */
  events: RecordedEvent[];
  errors: RecordedEvent[];
}

/** Homes of users, in JSON: `/home/ann`, `/Users/Ann Lee`, `C:\\Users\\ann`, `/root`. */
const homes = /(?:[a-z]:)?(?:\/|\\\\)(?:home|users)(?:\/|\\\\)[^/\\"]+|\/root(?=[/"\s])/gi;

/** A copy as plain JSON, without the homes of users and what stands in fields that are named like secrets. @throws TypeError for what is no JSON */
export const withoutHomes = <T>(packet: T): T =>
  JSON.parse(JSON.stringify(redactFields(packet).value).replace(homes, '~')) as T;

/**
 * Everything about a venue that helps somebody far away, and nothing of what is in it. Events are remembered from the first call of
 * recordEvents(), healthHandler(), instrument() or this on. Does no I/O and works on a venue that fails or is closed.
 * @param options.platform further facts, e.g. the program's version
 * @throws TypeError if `platform` cannot be JSON
 */
export function diagnostics(venue: Venue, options: { platform?: Record<string, unknown> } = {}): DiagnosticsPacket {
  const { since, events, errors } = recorderOf(venue);
  const found = venue.health();
  const { recovery, versions, features: _, ...health } = viewOf(found);
  return withoutHomes({
    madeAt: new Date(venue.clock.now()).toISOString(),
    versions,
    platform: { ...runtimeFacts(), ...options.platform },
    health,
    capabilities: capabilitiesOf(found),
    recovery,
    regions: [...venue.regions],
    recordedSince: since,
    events,
    errors,
  });
}
