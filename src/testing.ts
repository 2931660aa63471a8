// For tests of programs that use Tidemark: is a join lawful?
import { textOf } from './log/values';

/**
 * Checks a join function on samples: commutative, associative and idempotent on every one, pair and triple of them.
 * @returns the laws that it breaks, with the samples; empty for a join that is lawful on these.
 */
export function checkJoin<T>(join: (a: T, b: T) => T, samples: readonly T[]): string[] {
  const broken: string[] = [];
  const same = (law: string, x: T, y: T) => {
    if (textOf(x) !== textOf(y)) broken.push(`${law}: ${textOf(x)} is not ${textOf(y)}`);
  };
  for (const a of samples) {
    same(`idempotent, a = ${textOf(a)}, join(a, a)`, join(a, a), a);
    for (const b of samples) {
      same(`commutative, a = ${textOf(a)}, b = ${textOf(b)}, join(a, b)`, join(a, b), join(b, a));
      for (const c of samples) {
        const abc = `a = ${textOf(a)}, b = ${textOf(b)}, c = ${textOf(c)}`;
        same(`associative, ${abc}, join(join(a, b), c)`, join(join(a, b), c), join(a, join(b, c)));
      }
    }
  }
  return broken;
}
