// Which version this is, and whether a client may talk to it. Exact: there is no "near enough", and what does not say its version is refused.
import { TidemarkError } from '../../base/errors';

/** Of the package; test/services/health.test.ts holds it to package.json. */
export const libraryVersion = '0.1.0';

/** Of what is served over HTTP: paths, fields and their meaning. */
export const apiVersion = 1;

/** Client and server speak different versions, or one of them does not say which. Nothing else of the answer may be used. */
export class NegotiationError extends TidemarkError {
  override readonly name = 'NegotiationError';
  constructor(
    /** Who is the older one, or does not say, and is to be updated. */
    readonly update: 'client' | 'server',
    message: string,
  ) {
    super('version_mismatch', message);
  }
}

const versionOf = (said: unknown): number | undefined => {
  const version = typeof said === 'object' && said !== null ? (said as { apiVersion?: unknown }).apiVersion : undefined;
  return Number.isSafeInteger(version) && (version as number) > 0 ? (version as number) : undefined;
};

/**
 * Whether a client may use what a server says of its health.
 * @param client with the apiVersion that it was made for, e.g. this module's `{ apiVersion }`
 * @param health the body of `GET /api/v1/health`, parsed, also that of a 503
 * @returns `health`. @throws NegotiationError unless both say the same apiVersion
 */
export function negotiate<T>(client: { readonly apiVersion: number }, health: T): T {
  const [asked, spoken] = [versionOf(client), versionOf(health)];
  if (asked === undefined || spoken === undefined) {
    const who = asked === undefined ? 'client' : 'server';
    throw new NegotiationError(
      who,
      `the ${who} does not say which apiVersion it speaks: update the ${who}, or see whether it is Tidemark at all`,
    );
  }
  if (asked !== spoken) {
    const update = asked < spoken ? 'client' : 'server';
    throw new NegotiationError(
      update,
      `the client speaks apiVersion ${asked} and the server ${spoken}: update the ${update}, which is the older one`,
    );
  }
  return health;
}
