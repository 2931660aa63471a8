// All contestants by name. A new one is a file in peers/ and a line here.
import type { Contestant } from './contestant';
import { hypercore } from './peers/hypercore';
import { level } from './peers/level';
import { append, bareMap, control, json, jsonLines, rawAppend } from './peers/limits';
import { lmdb } from './peers/lmdb';
import { lowdb } from './peers/lowdb';
import { sqliteFull, sqliteNormal } from './peers/sqlite';
import { tinybase } from './peers/tinybase';
import { tidemark } from './tidemark';

/** Other people's libraries: packages of bench/package.json. */
export const peers: readonly Contestant[] = [sqliteFull, sqliteNormal, lmdb, level, tinybase, lowdb, hypercore];

const all = [tidemark, ...peers, bareMap, control, append, json, jsonLines];

/** @param bytes what the limit `raw` appends each time. */
export const findContestant = (name: string, bytes = 0): Contestant | undefined =>
  name === 'raw' ? rawAppend(bytes) : all.find((contestant) => contestant.name === name);
