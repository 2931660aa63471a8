// Once a run, before the tests in browsers: the engines and the pages are there.
import type { TestProject } from 'vitest/node';
import { ensureEngines } from '../../scripts/engines.mjs';
import { buildSite, removeSite } from './site';

type Engines = Awaited<ReturnType<typeof ensureEngines>>;

declare module 'vitest' {
  export interface ProvidedContext {
    engines: Engines;
    site: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engines = await ensureEngines();
  const site = await buildSite();
  project.provide('engines', engines);
  project.provide('site', site);
  return () => removeSite(site);
}
