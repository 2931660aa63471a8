// Finds the names of blobs in bytes: 64 hexadecimal digits in a row. A pure scan, fast because it looks at every 64th byte only, where there
// are none.
import { type Bytes, decodeUtf8 } from '../base/bytes';

const nameLength = 64;

const isDigit = new Uint8Array(256);
for (const digit of '0123456789abcdef') isDigit[digit.charCodeAt(0)] = 1;

/** Takes out of `unnamed` whatever is named in the bytes that it is shown, also across the pieces in which they come. */
export class HashScanner {
  /** The last digits of the piece before, if it ends with some. */
  private carried = '';

  constructor(private readonly unnamed: Map<string, unknown>) {}

  scan(piece: Bytes): void {
    const { length } = piece;
    if (this.unnamed.size === 0) return;
    let begin = 0;
    while (begin < length && isDigit[piece[begin]!]) begin++;
    // What the end of one and the beginning of the next make together. A run of its own is found below.
    const across = this.carried + decodeUtf8(piece.subarray(0, Math.min(begin, nameLength - 1)));
    this.take(across);
    let end = length;
    while (end > 0 && isDigit[piece[end - 1]!]) end--;
    const tail = decodeUtf8(piece.subarray(Math.max(end, length - nameLength + 1)));
    this.carried = (end === 0 ? this.carried + tail : tail).slice(1 - nameLength);
    for (let at = nameLength - 1; at < length; at += nameLength) {
      if (!isDigit[piece[at]!]) continue;
      let low = at;
      let high = at + 1;
      while (low > 0 && isDigit[piece[low - 1]!]) low--;
      while (high < length && isDigit[piece[high]!]) high++;
      if (high - low >= nameLength) this.take(decodeUtf8(piece.subarray(low, high)));
      at = high; // no digit, or the end
    }
  }

  /** Any 64 of them may be a name: whoever writes one may write a digit beside it. */
  private take(digits: string): void {
    for (let at = 0; at + nameLength <= digits.length; at++) this.unnamed.delete(digits.slice(at, at + nameLength));
  }
}
