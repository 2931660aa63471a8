// For tests of programs that use Tidemark: is a join lawful?
import { type Join, valueJoin } from './lattice/joins';
import { textOf } from './log/values';

/**
 * Checks a region's join on samples: commutative, associative and idempotent on every one, pair and triple of them.
 * @returns the laws that it breaks, with the samples; empty for a join that is lawful on these.
 */
export function checkJoin<T>(join: Exclude<Join<T>, 'lww'>, samples: readonly T[]): string[] {
  const joined = valueJoin(join as Exclude<Join<never>, 'lww'>, textOf) as (a: T, b: T) => T;
  const broken: string[] = [];
  const same = (law: string, x: T, y: T) => {
    if (textOf(x) !== textOf(y)) broken.push(`${law}: ${textOf(x)} is not ${textOf(y)}`);
  };
  for (const a of samples) {
    same(`idempotent, a = ${textOf(a)}, join(a, a)`, joined(a, a), a);
    for (const b of samples) {
      same(`commutative, a = ${textOf(a)}, b = ${textOf(b)}, join(a, b)`, joined(a, b), joined(b, a));
      for (const c of samples) {
        const abc = `a = ${textOf(a)}, b = ${textOf(b)}, c = ${textOf(c)}`;
        same(`associative, ${abc}, join(join(a, b), c)`, joined(joined(a, b), c), joined(a, joined(b, c)));
      }
    }
  }
  return broken;
}
