// The engines that there are on this machine.
import type { EngineName as Name } from '../../../scripts/engines.mjs';
import { chromiumEngine } from './chromium';
import type { Engine } from './engine';
import { firefoxEngine } from './firefox';
import { miniBrowserEngine } from './minibrowser';
import { webkitEngine } from './webkit';

const makers = { chromium: chromiumEngine, firefox: firefoxEngine, webkit: webkitEngine };

/** One more try for a browser that does not start. */
const patient = (engine: Engine): Engine => ({
  ...engine,
  launch: () => engine.launch().catch(() => engine.launch()),
});

type Found = Partial<Record<Name, { version: string; paths: string[] }>>;

/** What scripts/engines.mjs found, as engines. */
export const enginesOf = (found: Found): Engine[] =>
  Object.entries(found).map(([name, { version, paths }]) => patient(makers[name as Name](version, paths)));

/** The same, each such that its browser can be killed and started again, and a renderer of it too. */
export const mortalEnginesOf = (found: Found): Engine[] =>
  Object.entries(found).map(([name, { version, paths }]) =>
    patient((name === 'webkit' ? miniBrowserEngine : makers[name as Name])(version, paths)),
  );

export type { Browser, Engine, Tab } from './engine';
export { becomes, patienceMs, until } from './engine';
