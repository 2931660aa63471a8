// What this service asks of the platform: a Response, and what it runs on. The only file of the services that may name such globals
// (test/architecture/rules.ts); each is there in Node 18 and later, Deno, Bun, workers and browsers, or its absence is borne. Knows no venue.

const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** What a fetch handler answers. @param body null for HEAD */
export const respond = (
  status: number,
  type: string,
  body: string | null,
  more: Record<string, string> = {},
): Response => new Response(body, { status, headers: { ...headers, 'content-type': type, ...more } });

/** Runtime, operating system and processor, as far as the platform says so without being asked for more. */
export function runtimeFacts(): Record<string, string> {
  if (typeof process === 'object' && process?.versions?.node) {
    const { versions, platform, arch } = process;
    const name = ['bun', 'deno'].find((other) => versions[other]) ?? 'node';
    return { runtime: `${name} ${versions[name]}`, os: platform, arch };
  }
  return typeof navigator === 'object' && navigator?.userAgent ? { runtime: navigator.userAgent } : {};
}
