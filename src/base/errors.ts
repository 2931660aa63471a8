// Every error that Tidemark throws on purpose: one class, a stable `code`, a message that says what, where and
// what to do. Knows nothing of the rest.

/** Stable codes; docs/operations.md says what to do about each. */
export type ErrorCode =
  | 'bad_option' // an option of openVenue or region() is not what it should be
  | 'bad_key' // entry key or region name out of bounds
  | 'bad_value' // a value that cannot be stored; a TypeError
  | 'invalid_value' // refused by the region's `validate`
  | 'newer_entry' // an entry of a newer schema version than the program's
  | 'too_large' // a value or a fork over its limit
  | 'closed' // used after close
  | 'flush_timeout' // flush({ timeoutMs }) ran out; nothing is lost
  | 'locked' // another live owner has the store
  | 'lock_lost' // the lock is no longer ours
  | 'bad_key_file' // venue.key unreadable, of wrong length, open to others
  | 'foreign_key' // the store is signed by a key that is not trusted
  | 'newer_format' // written by a newer Tidemark
  | 'no_storage' // the platform has no such storage here
  | 'damaged' // bytes do not verify and no other copy does
  | 'exists' // refuses to overwrite
  | 'illegal_transition' // a job, agent, session or trace cannot go from the state it is in to that one
  | 'not_found' // no job, agent, session or trace of that id
  | 'conflict' // something else is already recorded in that place
  | 'redacted' // what was redacted cannot be used again
  | 'session_not_live' // the session's writer is gone; it can be replayed and relaunched
  | 'lease_lost' // another writer may have taken over what this one held
  | 'version_mismatch' // client and server speak different versions of what is served over HTTP
  | 'io'; // the disk or database said no; see `cause`

/** What all errors of Tidemark have: a `code` that stays the same over versions, and the `cause` where there is one. */
export class TidemarkError extends Error {
  override readonly name: string = 'TidemarkError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A value that cannot be stored, refused by set(): names region, key and path in the value. */
export class ValueError extends TypeError {
  override readonly name = 'ValueError';
  readonly code: ErrorCode = 'bad_value';
}

/** A flush ran out of time. Nothing is lost: the entries stay in memory and are tried again. */
export class FlushTimeoutError extends TidemarkError {
  override readonly name = 'FlushTimeoutError';
  constructor(
    /** Entries written and not yet durable when the time was up. */
    readonly unsaved: number,
    timeoutMs: number,
    options?: ErrorOptions,
  ) {
    super(
      'flush_timeout',
      `flush: not durable after ${timeoutMs} ms, ${unsaved} entries unsaved; they are kept and tried again`,
      options,
    );
  }
}

/** Another live process (or venue of this one) owns the store. */
export class LockedError extends TidemarkError {
  override readonly name = 'LockedError';
  constructor(
    /** Who owns it, as far as the lock says. */
    readonly owner: { pid?: number; host?: string; since?: string },
    message: string,
  ) {
    super('locked', message);
  }
}
