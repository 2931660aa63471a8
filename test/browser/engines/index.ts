// The engines that there are on this machine.
import type { EngineName as Name } from '../../../scripts/engines.mjs';
import { chromiumEngine } from './chromium';
import type { Engine } from './engine';
import { firefoxEngine } from './firefox';
import { webkitEngine } from './webkit';

const makers = { chromium: chromiumEngine, firefox: firefoxEngine, webkit: webkitEngine };

/** What scripts/engines.mjs found, as engines. A browser that does not start is given one more try. */
export function enginesOf(found: Partial<Record<Name, { version: string; paths: string[] }>>): Engine[] {
  return Object.entries(found).map(([name, { version, paths }]) => {
    const engine = makers[name as Name](version, paths);
    return { ...engine, launch: () => engine.launch().catch(() => engine.launch()) };
  });
}

export type { Browser, Engine, Tab } from './engine';
export { becomes, patienceMs, until } from './engine';
