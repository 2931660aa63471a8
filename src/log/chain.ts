// Chains: which commits are what a writer signed, in what order, and what is missing between them. docs/FORMAT.md "Chains". Pure functions.
import type { Crypto } from '../base/seams';
import { type CommitPayload, type Line, verifyLine } from './line';

export type CommitLine = Line<CommitPayload>;

export interface Hole {
  writer: string;
  /** First and last missing index. */
  from: number;
  to: number;
}

export interface Chains {
  /** Every commit that verifies, once, in the order of time. */
  good: CommitLine[];
  /** Commits whose signature does not verify. */
  forged: CommitLine[];
  holes: Hole[];
  /** Commits whose link does not fit although both sides are signed: a writer that signed one index twice. */
  forks: CommitLine[];
}

/** What is known to exist apart from the commits: heads that a checkpoint covers. */
export type Covers = Readonly<Record<string, readonly [index: number, hash: string]>>;

/**
 * Verifies commits of any writers in any order. Costs one signature per unbroken run of a chain: its head is verified, and each header names
 * the hash of the one before.
 */
export function verifyChains(crypto: Crypto, lines: readonly CommitLine[], covers: Covers): Chains {
  const chains: Chains = { good: [], forged: [], holes: [], forks: [] };
  const byWriter = new Map<string, CommitLine[]>();
  for (const line of lines) {
    const chain = byWriter.get(line.payload.writer);
    if (chain) chain.push(line);
    else byWriter.set(line.payload.writer, [line]);
  }
  /** Highest index of each writer that anything signed has named. */
  const heads = new Map<string, number>();
  const seen = (writer: string, index: number) => heads.set(writer, Math.max(index, heads.get(writer) ?? -1));
  for (const [writer, [index]] of Object.entries(covers)) seen(writer, index);

  const verified = new Map<string, CommitLine[]>();
  for (const [writer, chain] of byWriter) {
    chain.sort((a, b) => a.payload.index - b.payload.index);
    const kept = verifyChain(crypto, chain, chains);
    const [first] = kept;
    const cover = covers[writer];
    if (first && cover && first.payload.index === cover[0] + 1 && first.payload.prev !== cover[1])
      chains.forks.push(first);
    verified.set(writer, kept);
    for (const line of kept) {
      seen(writer, line.payload.index);
      // A checkpoint that covers this commit may have forgotten those whom it names.
      if (cover && line.payload.index <= cover[0]) continue;
      for (const [other, index] of Object.entries(line.payload.heads ?? {})) seen(other, index);
    }
  }
  for (const [writer, head] of heads) {
    let next = (covers[writer]?.[0] ?? -1) + 1;
    for (const { payload } of verified.get(writer) ?? []) {
      if (payload.index > next) chains.holes.push({ writer, from: next, to: payload.index - 1 });
      next = Math.max(next, payload.index + 1);
    }
    if (head >= next) chains.holes.push({ writer, from: next, to: head });
  }
  chains.good = [...verified.values()]
    .flat()
    .sort((a, b) => a.payload.time - b.payload.time || a.payload.index - b.payload.index);
  return chains;
}

/** One writer's commits by index; returns the good ones. */
function verifyChain(crypto: Crypto, chain: CommitLine[], { forged, forks }: Chains): CommitLine[] {
  const good: CommitLine[] = [];
  let next: CommitLine | undefined;
  for (const line of chain.reverse()) {
    // An append that was tried again may have left the same commit twice.
    if (next && next.hash === line.hash) continue;
    const follows = next && next.payload.index === line.payload.index + 1;
    if (!(follows && next!.payload.prev === line.hash) && !verifyLine(crypto, line)) {
      forged.push(line);
      continue;
    }
    if (next && (next.payload.index === line.payload.index || (follows && next.payload.prev !== line.hash)))
      forks.push(line);
    good.push(line);
    next = line;
  }
  return good.reverse();
}
