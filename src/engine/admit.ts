// What may go into a region: keys and values within their bounds. Errors name region, key and the path in the value.
import { encodeUtf8 } from '../base/bytes';
import { TidemarkError, ValueError } from '../base/errors';
import { deepFreeze, found, storable, textOf } from '../log/values';
import { keyBytesMax, valueBytesMax } from './limits';

/** Region and key as errors name them. */
export const place = (region: string, key: unknown): string => `region '${region}', key '${String(key).slice(0, 80)}'`;

/** @throws TidemarkError `bad_key` */
export function checkKey(region: string, key: string): void {
  const why =
    typeof key !== 'string'
      ? `is a ${typeof key}, not a string`
      : /\p{Surrogate}/u.test(key)
        ? 'has a lone surrogate, which UTF-8 cannot hold'
        : key.length === 0 || (key.length * 3 > keyBytesMax && encodeUtf8(key).length > keyBytesMax)
          ? `must have 1 to ${keyBytesMax} bytes of UTF-8`
          : undefined;
  if (why) throw new TidemarkError('bad_key', `${place(region, key)}: the key ${why}`);
}

/** What to keep of a value, frozen all the way down if `freezes`; `found` has its size. @throws ValueError, TidemarkError `too_large` */
export function admit(region: string, key: string, value: unknown, freezes: boolean): unknown {
  const kept = storable(value, freezes);
  const { refusal } = found;
  if (refusal)
    throw new ValueError(
      `${place(region, key)}: the value${refusal.path && ` at ${refusal.path}`} ${refusal.why} and cannot be stored`,
    );
  if (found.size * 6 > valueBytesMax) {
    found.size = encodeUtf8(textOf(kept)).length;
    if (found.size > valueBytesMax) {
      throw new TidemarkError(
        'too_large',
        `${place(region, key)}: the value has ${found.size} bytes encoded, at most ${valueBytesMax} can be stored`,
      );
    }
  }
  return freezes ? deepFreeze(kept) : kept;
}
