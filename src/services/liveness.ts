// Who is alive: the one answer for all services, from leases that writers renew in the venue. A writer that is not known to be alive is not. Knows
// the venue's face only.
import { TidemarkError } from '../base/errors';
import type { Region, Venue } from '../venue';

/** How long a lease holds without being renewed, in ms: with one renewal just made and one look a renewal apart, a crash is noticed within 5 s. */
export const leaseMs = 3500;
/** Renewals are this far apart. */
export const renewMs = 1000;
/** A lease that ends later than this from now was made under another time of day. */
const leaseMsMax = leaseMs + 2 * renewMs;

/** What a writer says of itself. */
interface Lease {
  /** Wall clock, ms since 1970. */
  until: number;
}

/** What a writer says of a thing that only one may do. */
interface Claim {
  holder: string;
}

/** The right to be the only one to do something; until it is released or lost. */
export interface Hold {
  /** @throws TidemarkError `lease_lost` if another writer may have taken over. Call it before every result that is written. */
  check(): void;
  release(): void;
}

export interface Liveness {
  /** Who we are, for others to ask after: this opening, and how often it has begun anew. Undefined until begin(). */
  readonly id: string | undefined;
  /** Whether a holder (an `id`) is known to be alive, as far as we have heard: `await venue.catchUp()` before acting on a no. */
  isAlive(holder: string): boolean;
  /** Makes us known to be alive, from now until the venue closes or the page goes. Durable when it resolves. @returns our id */
  begin(): Promise<string>;
  /** @throws TidemarkError `lease_lost` if we have been out of time: asleep, frozen, or unable to write. */
  check(): void;
  /** Takes the only right to do `name`. @returns undefined while another one has it, or wants it at the same moment */
  hold(name: string): Promise<Hold | undefined>;
  /** Calls `listener` about once a second, and when we lost our lease or are back: the time to look who is gone. @returns a function that ends it */
  watch(listener: (event: 'tick' | 'lost' | 'back') => void): () => void;
}

const known = new WeakMap<Venue, Liveness>();

/** The liveness of a venue: one for all services on it. */
export function livenessOf(venue: Venue): Liveness {
  let liveness = known.get(venue);
  if (!liveness) {
    liveness = venue.health().lock === 'exclusive' ? alone(venue) : new Leases(venue);
    known.set(venue, liveness);
  }
  return liveness;
}

/** Where one process at a time has the store: whoever else wrote it is gone. */
function alone(venue: Venue): Liveness {
  const id = `${venue.writer}.0`;
  const held = new Set<string>();
  return {
    id,
    isAlive: (holder) => holder === id,
    begin: async () => id,
    check: () => undefined,
    async hold(name) {
      if (held.has(name)) return undefined;
      held.add(name);
      return { check: () => undefined, release: () => void held.delete(name) };
    },
    watch: () => () => undefined,
  };
}

class Leases implements Liveness {
  id: string | undefined;
  private readonly leases: Region<Lease>;
  private readonly claims: Region<Claim>;
  private epoch = 0;
  private timer: unknown;
  /** `elapsed` when our lease was last renewed. */
  private renewedAt = 0;
  private beginning: Promise<string> | undefined;
  private gone = false;
  private readonly listeners = new Set<(event: 'tick' | 'lost' | 'back') => void>();
  /** Names that we hold or are about to. */
  private readonly held = new Set<string>();

  constructor(private readonly venue: Venue) {
    this.leases = venue.region<Lease>('tidemark.leases');
    this.claims = venue.region<Claim>('tidemark.claims');
    venue.on('closing', () => this.leave());
    venue.on('leaving', () => this.leave());
    venue.on('returned', () => this.comeBack());
  }

  isAlive(holder: string): boolean {
    if (holder === this.id) return this.isValid();
    return this.holds(this.leases.get(holder));
  }

  private holds(lease: Lease | undefined): boolean {
    const left = (lease?.until ?? 0) - this.venue.clock.now();
    return left > 0 && left <= leaseMsMax;
  }

  begin(): Promise<string> {
    this.gone = false;
    this.beginning ??= this.enter().catch((error) => {
      this.beginning = undefined;
      throw error;
    });
    return this.beginning;
  }

  private async enter(): Promise<string> {
    const id = `${this.venue.writer}.${this.epoch++}`;
    await this.sweepUp();
    if (this.gone) throw this.lost();
    this.id = id;
    this.renew();
    await this.venue.flush();
    return id;
  }

  /** Deletes leases that have run out, and what was claimed under them. Not before we have looked whether they were renewed. */
  private async sweepUp(): Promise<void> {
    if ([...this.leases].every(([, lease]) => this.holds(lease))) return;
    await this.venue.catchUp();
    for (const [holder, lease] of this.leases) if (!this.holds(lease)) this.leases.delete(holder);
    for (const [key, { holder }] of this.claims)
      if (holder !== this.id && !this.leases.get(holder)) this.claims.delete(key);
  }

  private renew(): void {
    const { clock } = this.venue;
    this.renewedAt = clock.elapsed();
    this.leases.set(this.id!, { until: clock.now() + leaseMs });
    this.timer = clock.setTimeout(() => this.tick(), renewMs);
  }

  private tick(): void {
    if (this.gone) return;
    if (!this.isValid()) {
      this.lose();
      return;
    }
    this.renew();
    this.sweepUp().then(
      () => this.tell('tick'),
      () => undefined, // it is reported, and looked for again a second later
    );
  }

  /** What others see of us is what is durable; and a clock that did not run while we slept must not deceive us. */
  private isValid(): boolean {
    const { root, clock } = this.venue;
    if (this.id === undefined || this.gone) return false;
    const durable = root.region<Lease>(this.leases.name).get(this.id);
    const isNew = durable === undefined && this.leases.get(this.id) !== undefined;
    return clock.elapsed() - this.renewedAt < leaseMs && this.holds(isNew ? this.leases.get(this.id) : durable);
  }

  check(): void {
    if (this.isValid()) return;
    this.lose();
    throw this.lost();
  }

  private lost(): TidemarkError {
    const { writer } = this.venue;
    return new TidemarkError('lease_lost', `writer ${writer} was out of time: another one may have taken over`);
  }

  /** Begins anew under another id: what the old one held is no longer ours, whoever has it. */
  private lose(): void {
    if (this.id === undefined || this.gone) return;
    this.stop();
    this.tell('lost');
    this.begin().then(
      () => this.tell('back'),
      () => undefined, // the venue is closed, or says itself that it cannot write
    );
  }

  private stop(): void {
    this.venue.clock.clearTimeout(this.timer);
    const { id } = this;
    this.id = this.beginning = undefined;
    if (id === undefined) return;
    this.leases.delete(id);
    for (const name of this.held) this.claims.delete(claimKey(name, id));
    this.held.clear();
  }

  /** The page goes or the venue closes: others need not wait until the lease has run out. */
  private leave(): void {
    if (this.id === undefined) return;
    this.tell('lost');
    this.stop();
    this.gone = true;
  }

  private comeBack(): void {
    if (this.id !== undefined && !this.isValid()) this.lose();
    if (!this.gone) return;
    this.begin().then(
      () => this.tell('back'),
      () => undefined, // the venue is closed, or says itself that it cannot write
    );
  }

  private tell(event: 'tick' | 'lost' | 'back'): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  watch(listener: (event: 'tick' | 'lost' | 'back') => void): () => void {
    const own = (event: 'tick' | 'lost' | 'back') => listener(event);
    this.listeners.add(own);
    return () => this.listeners.delete(own);
  }

  /**
   * Claims, makes the claim durable, then looks at what others claim: of two that want the same, at least one looks after both have written, and
   * gives way. So there is never more than one; of two at the same moment there may be none, and each tries again.
   */
  async hold(name: string): Promise<Hold | undefined> {
    const id = await this.begin();
    if (this.held.has(name) || this.isClaimed(name)) return undefined;
    const key = claimKey(name, id);
    this.held.add(name);
    this.claims.set(key, { holder: id });
    const release = () => {
      if (this.id !== id || !this.held.delete(name)) return;
      this.claims.delete(key);
    };
    try {
      await this.venue.flush();
      await this.venue.catchUp();
      this.check();
    } catch (error) {
      release();
      throw error;
    }
    if (this.id !== id) return undefined;
    if (this.isClaimed(name)) {
      release();
      return undefined;
    }
    return {
      release,
      check: () => {
        if (this.id === id && this.held.has(name)) return this.check();
        throw new TidemarkError('lease_lost', `'${name}' is not held any more: another writer may have taken over`);
      },
    };
  }

  private isClaimed(name: string): boolean {
    for (const [, { holder }] of this.claims.scan({ prefix: claimKey(name, '') }))
      if (holder !== this.id && this.isAlive(holder)) return true;
    return false;
  }
}

const claimKey = (name: string, holder: string): string => `${name}\u0000${holder}`;
