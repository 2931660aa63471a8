// tidemark/traces: checkpoints of work in several steps, and workflows that go on where they were. The face; how it is done is in traces/.
import type { Venue } from '../venue';
import type { Traces, TracesOptions } from './traces/face';
import { openStore } from './traces/store';

/** The traces of a venue. May be called again: all are the same traces. @throws TidemarkError `bad_option` */
export const openTraces = (venue: Venue, options: TracesOptions = {}): Traces => openStore(venue, options);

export type * from './traces/face';
export type * from './traces/steps';
export { runWorkflow } from './traces/workflow';
