// Once a run, before the tests in browsers: the engines and the pages are there. TIDEMARK_ENGINES=chromium,firefox takes only these.
import type { TestProject } from 'vitest/node';
import { type EngineName, ensureEngines } from '../../scripts/engines.mjs';
import { buildSite, removeSite } from './site';

type Engines = Awaited<ReturnType<typeof ensureEngines>>;

declare module 'vitest' {
  export interface ProvidedContext {
    engines: Engines;
    site: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engines = await ensureEngines(process.env.TIDEMARK_ENGINES?.split(',') as EngineName[] | undefined);
  const site = await buildSite();
  project.provide('engines', engines);
  project.provide('site', site);
  return () => removeSite(site);
}
