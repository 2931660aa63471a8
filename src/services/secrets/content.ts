// What is in the box of a secret: its value, and the one before it if it was rotated. Pure functions.
import { type Bytes, concatBytes, decodeUtf8, encodeUtf8 } from '../../base/bytes';
import { ValueError } from '../../base/errors';

/** Text without lone surrogates, or bytes. Comes back as the kind that it was. */
export type SecretValue = string | Uint8Array;

/** As errors name it. Never with a value. */
export const called = (name: string): string => `secret ${JSON.stringify(String(name).slice(0, 80))}`;

/** For each value a byte for its kind (0 text, 1 bytes), four for its length, and itself. @throws ValueError */
export function pack(name: string, values: readonly SecretValue[]): Bytes {
  const parts = values.map((value) => {
    const isText = typeof value === 'string';
    if (!isText && !(value instanceof Uint8Array))
      throw new ValueError(`${called(name)}: a value must be text or bytes (Uint8Array)`);
    if (isText && /\p{Surrogate}/u.test(value))
      throw new ValueError(`${called(name)}: the text has a lone surrogate, which UTF-8 cannot hold; store bytes`);
    const bytes = isText ? encodeUtf8(value) : value;
    const head = new Uint8Array(5);
    head[0] = isText ? 0 : 1;
    new DataView(head.buffer).setUint32(1, bytes.length);
    return concatBytes([head, bytes]);
  });
  return concatBytes(parts);
}

/** Wipes `plain`. */
export function unpack(plain: Bytes): SecretValue[] {
  const values: SecretValue[] = [];
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  for (let at = 0; at < plain.length; ) {
    const start = at + 5;
    const end = start + view.getUint32(at + 1);
    values.push(plain[at] === 0 ? decodeUtf8(plain.subarray(start, end)) : plain.slice(start, end));
    at = end;
  }
  plain.fill(0);
  return values;
}
