// All workloads, in the order of the report.
import type { Workload } from '../workload';
import { amplification, checkpoint } from './checkpoint';
import { flush } from './flush';
import { heap } from './heap';
import { idle, size } from './idle';
import { open } from './open';
import { setHot, setLarge } from './set';
import { sustained } from './sustained';

export const workloads: readonly Workload[] = [
  setHot,
  setLarge,
  sustained,
  flush,
  open,
  checkpoint,
  amplification,
  heap,
  idle,
  size,
];
