// What a command that reads a store's state says of damage that it met on the way.
import type { Damage } from '../../engine/recovery';
import { table } from '../output';

export const damageTable = (damage: readonly Damage[]): string =>
  table(
    ['where', 'bytes', 'what'],
    damage.map(({ where, bytes, what }) => [where, String(bytes), what]),
  );

/** For stderr, so that the output stays what was asked for. */
export const damageNote = (store: string, damage: readonly Damage[]): string | undefined =>
  damage.length === 0
    ? undefined
    : `${store} is damaged; what is shown is what is left (tidemark verify says more)\n${damageTable(damage)}`;
