// Everything that a store's promises hang on, broken once each, with the tests that must go red for it. Data alone: main.ts breaks, list.test.ts
// sees to it that what is to be broken is still there.

import { blobs } from './blobs';
import { checkpoints } from './checkpoints';
import { openings } from './openings';
import { owners } from './owners';
import { pages } from './pages';
import type { Sabotage } from './sabotage';
import { writes } from './writes';

export const sabotages: readonly Sabotage[] = [...writes, ...checkpoints, ...openings, ...owners, ...pages, ...blobs];
