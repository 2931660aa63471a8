// The floors of the architecture and what each may ask for. Pure: sources in, broken rules out.
import { type Module, readModule } from './module';

/** From the bottom up. A path that ends in "/" is a folder. */
export const FLOORS: readonly (readonly string[])[] = [
  ['src/base/'],
  ['src/backend.ts'],
  ['src/lifecycle/'],
  ['src/identity/'],
  ['src/lattice/'],
  ['src/log/'],
  ['src/engine/'],
  ['src/venue.ts'],
  ['src/services/'],
  ['src/index.ts'],
  ['src/node.ts', 'src/browser.ts', 'src/snapshots-node.ts', 'src/snapshots-browser.ts', 'src/testing.ts', 'src/cli/'],
];
const PLATFORM = 'src/platform/';
const BACKENDS = 'backends/';
const SEAM = 'src/backend.ts';
/** What puts the core on a platform: these know the platform and the backends, and nothing knows them. */
const TOPS = FLOORS.at(-1) ?? [];
/** Where a clock, a timer or a global of the platform may be used. */
const ON_A_PLATFORM = [PLATFORM, 'src/lifecycle/', ...TOPS.filter((path) => path !== 'src/testing.ts')];
/** Entries that run in a browser too. */
const FOR_BROWSERS = [
  'src/browser.ts',
  'src/snapshots-browser.ts',
  'src/testing.ts',
  'src/backend.ts',
  'backends/memory.ts',
  'backends/indexeddb/index.ts',
];
const PURE = ['src/lattice/', 'src/log/'];
const LINES_MAX = 400;

/** What the language itself has (ECMAScript 2023), less what reaches out: no Intl, eval, Function or globalThis. And UTF-8. */
const LANGUAGE = new Set(
  `undefined NaN Infinity Object Array String Number Boolean BigInt Symbol Map Set WeakMap WeakSet WeakRef Date Math JSON
   RegExp Promise Proxy Reflect Error TypeError RangeError SyntaxError AggregateError ArrayBuffer DataView Uint8Array
   Uint16Array Uint32Array Int8Array Int16Array Int32Array BigInt64Array BigUint64Array Float32Array Float64Array
   Uint8ClampedArray isNaN isFinite parseInt parseFloat arguments TextEncoder TextDecoder`.split(/\s+/),
);

/** What one file of the core may use besides: a fetch handler answers with a Response, and tells what it runs on. */
const OF_THE_WEB: Readonly<Record<string, readonly string[]>> = {
  'src/services/health/platform.ts': ['Response', 'navigator', 'process'],
};

/**
 * @param sources path -> text, of src/ and backends/
 * @param packages which packages may be imported: by the library, and by what is bundled into the CLI
 * @returns a sentence for every rule that is broken
 */
export function brokenRules(
  sources: Readonly<Record<string, string>>,
  packages: { readonly library: readonly string[]; readonly cli: readonly string[] },
): string[] {
  const modules = new Map(Object.entries(sources).map(([path, source]) => [path, readModule(path, source)]));
  const broken: string[] = [];
  for (const module of modules.values()) {
    broken.push(...placeBroken(module), ...surroundingsBroken(module));
    for (const name of module.imports) {
      const target = resolve(module.path, name, modules);
      if (target !== undefined) broken.push(...importBroken(module.path, target));
      else if (name.startsWith('.')) broken.push(`${module.path} imports ${name}, which is not there`);
      else if (name.startsWith('node:')) broken.push(...nodeBroken(module.path));
      else if (!isAllowed(name, module.path.startsWith('src/cli/') ? packages.cli : packages.library))
        broken.push(`${module.path} imports ${name}, which is no dependency`);
    }
  }
  return [...broken, ...cycles(modules), ...FOR_BROWSERS.flatMap((entry) => browserBroken(entry, modules))];
}

function placeBroken({ path, lines }: Module): string[] {
  const broken: string[] = [];
  if (path.startsWith('src/') && !path.startsWith(PLATFORM) && floorOf(path) < 0)
    broken.push(`${path} is on no floor of the design`);
  if (lines > LINES_MAX) broken.push(`${path} has ${lines} lines; ${LINES_MAX} are the limit`);
  return broken;
}

function surroundingsBroken(module: Module): string[] {
  const { path } = module;
  const broken: string[] = [];
  if (path.startsWith('src/') && !isIn(path, ON_A_PLATFORM)) {
    const allowed = OF_THE_WEB[path] ?? [];
    for (const name of module.globals)
      if (!LANGUAGE.has(name) && !allowed.includes(name)) broken.push(`${path} uses the global ${name}`);
    for (const name of module.impurities) broken.push(`${path} uses ${name}`);
  }
  if (isIn(path, PURE) && module.waits) broken.push(`${path} waits, on a floor of pure functions`);
  return broken;
}

function importBroken(from: string, to: string): string[] {
  if (from.startsWith(BACKENDS)) {
    const own = from.slice(0, from.lastIndexOf('/') + 1);
    const ownFolder = own === BACKENDS ? from.replace(/\.ts$/, '/') : `${BACKENDS}${own.split('/')[1]}/`;
    return to === SEAM || isIn(to, [ownFolder]) || `${to.replace(/\.ts$/, '/')}` === ownFolder
      ? []
      : [`${from} imports ${to}; a backend imports ${SEAM} and its own folder`];
  }
  if (to.startsWith(BACKENDS)) return isIn(from, TOPS) ? [] : [`${from} imports ${to}; the core knows no backend`];
  if (from.startsWith(PLATFORM))
    return isIn(to, [PLATFORM, 'src/base/']) ? [] : [`${from} imports ${to}; src/platform may import src/base`];
  if (to.startsWith(PLATFORM)) return isIn(from, TOPS) ? [] : [`${from} imports ${to}; the core knows no platform`];
  return floorOf(to) > floorOf(from) ? [`${from} imports ${to}, from a floor above its own`] : [];
}

function nodeBroken(path: string): string[] {
  if (path === `${BACKENDS}memory.ts` || path.startsWith(`${BACKENDS}memory/`)) return [`${path} imports node:`];
  const may = path.startsWith(BACKENDS) || (isIn(path, ON_A_PLATFORM) && !FOR_BROWSERS.includes(path));
  return may ? [] : [`${path} imports node:`];
}

function isAllowed(name: string, packages: readonly string[]): boolean {
  return packages.some((known) => name === known || name.startsWith(`${known}/`));
}

/** A bundle for a browser must not meet Node anywhere on its way. */
function browserBroken(entry: string, modules: ReadonlyMap<string, Module>): string[] {
  const broken: string[] = [];
  const reached = new Set([entry]);
  for (const path of reached) {
    for (const name of modules.get(path)?.runtimeImports ?? []) {
      const target = resolve(path, name, modules);
      if (target !== undefined) reached.add(target);
      else if (name.startsWith('node:')) broken.push(`${entry} reaches ${path}, which imports ${name}`);
    }
  }
  return broken;
}

function cycles(modules: ReadonlyMap<string, Module>): string[] {
  const broken: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      broken.push(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}`);
    } else if (!done.has(path)) {
      for (const name of modules.get(path)?.imports ?? []) {
        const target = resolve(path, name, modules);
        if (target !== undefined) visit(target, [...trail, path]);
      }
      done.add(path);
    }
  };
  for (const path of modules.keys()) visit(path, []);
  return broken;
}

function resolve(from: string, name: string, modules: ReadonlyMap<string, Module>): string | undefined {
  if (!name.startsWith('.')) return undefined;
  const path = new URL(name, `file:///${from}`).pathname.slice(1);
  return [`${path}.ts`, `${path}/index.ts`].find((candidate) => modules.has(candidate));
}

function floorOf(path: string): number {
  return FLOORS.findIndex((places) => isIn(path, places));
}

function isIn(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));
}
