// The byte regions of a line, a log and a checkpoint, as docs/FORMAT.md draws them: where damage can hit. Reads intact stores only.

/** Bytes of a file, `from` inclusive, `to` exclusive. */
export interface Span {
  readonly part: string;
  readonly from: number;
  readonly to: number;
}

/** Lines of a file, their newlines included. */
export function linesOf(bytes: Buffer): Span[] {
  const lines: Span[] = [];
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(10, from);
    const to = newline < 0 ? bytes.length : newline + 1;
    lines.push({ part: `line ${lines.length + 1}`, from, to });
    from = to;
  }
  return lines;
}

/** Consecutive spans from their lengths. */
function spans(at: number, lengths: readonly [part: string, length: number][]): Span[] {
  let from = at;
  return lengths.map(([part, length]) => {
    const span = { part, from, to: from + length };
    from = span.to;
    return span;
  });
}

/** `["<JWS>",<body>]\n` */
export function partsOfSigned(bytes: Buffer, { from, to }: Span): Span[] {
  const quote = bytes.indexOf('"', from + 2);
  const [header, payload, signature] = bytes.toString('latin1', from + 2, quote).split('.') as [string, string, string];
  return spans(from, [
    ['opening', 2],
    ['header', header.length],
    ['first dot', 1],
    ['payload', payload.length],
    ['second dot', 1],
    ['signature', signature.length],
    ['separator', 2],
    ['body', to - quote - 4],
    ['closing', 1],
    ['newline', 1],
  ]);
}

/** `[base,[entry,...]]\n` */
export function partsOfChunk(bytes: Buffer, { from, to }: Span): Span[] {
  const comma = bytes.indexOf(',', from);
  const key = bytes.indexOf('"', from);
  const keyEnd = bytes.indexOf('"', key + 1) + 1;
  return spans(from, [
    ['opening', 1],
    ['base', comma - from - 1],
    ['brackets', key - comma],
    ['first key', keyEnd - key],
    ['entries', to - keyEnd - 3],
    ['closing', 2],
    ['newline', 1],
  ]);
}

/** A commit or the index of a checkpoint, taken apart. */
export interface Signed {
  readonly jws: string;
  readonly payload: {
    readonly kind: 'commit' | 'checkpoint';
    readonly writer: string;
    readonly index: number;
    readonly time: number;
    readonly heads?: Readonly<Record<string, number>>;
    readonly covers: Readonly<Record<string, readonly [index: number, hash: string]>>;
  };
  readonly body: string;
}

export function readSigned(line: Buffer): Signed {
  const text = line.toString('utf8');
  const quote = text.indexOf('"', 2);
  const jws = text.slice(2, quote);
  const payload = JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString('utf8'));
  return { jws, payload, body: text.slice(quote + 2, text.lastIndexOf(']')) };
}
