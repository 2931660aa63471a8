// The last write of a page, and tabs beside each other, broken at each step.
import { inFile, named, one, type Sabotage } from './sabotage';

const journal = 'src/engine/journal.ts';
const joiner = 'src/engine/joiner.ts';
const writer = 'src/engine/writer.ts';
const engine = 'src/engine/engine.ts';
const lifecycle = 'src/lifecycle/browser.ts';
const indexeddb = 'backends/indexeddb/index.ts';
const liveness = 'src/services/liveness.ts';
const goingAway = inFile('test/venue/going-away.test.ts');
const tabs = inFile('test/venue/tabs.test.ts');
const page = inFile('test/page/going-away.test.ts');
const hints = inFile('test/backends/indexeddb-tabs.test.ts');
const opening = inFile('test/page/opening.test.ts');
const alive = inFile('test/services/liveness.test.ts');

export const pages: readonly Sabotage[] = [
  // Going away.
  one(
    'nothing is written into the journal',
    writer,
    '        journal?.write(commit.at, commit.bytes, commit.info.entries);\n',
    '',
    goingAway,
  ),
  one(
    'what is issued as the page goes is taken for durable',
    writer,
    '          if (!promise) {\n',
    '          if (true) {\n',
    goingAway,
  ),
  one(
    'a sweep on its way is left out of the journal',
    writer,
    '    for (let place = 0; place < fork.frozen.length; ) {\n',
    '    for (let place = this.commits.length; place < fork.frozen.length; ) {\n',
    goingAway,
  ),
  one('what is written is left in the journal', writer, '    this.options.journal?.settled(info);\n', '', goingAway),
  one(
    'the journal is cleared before it is durable',
    joiner,
    '        if (line && hashes.has(line.hash)) await this.append(bytes, line);\n',
    '        if (line && hashes.has(line.hash)) void this.append(bytes, line);\n',
    goingAway,
  ),
  one(
    'what a page left behind is not made durable',
    joiner,
    '        if (line && hashes.has(line.hash)) await this.append(bytes, line);\n',
    '',
    goingAway,
  ),
  one(
    'a journal of another key is let in',
    joiner,
    'if (line?.payload.venue === venue && this.knows(line!.kid))\n',
    'if (line?.payload.venue === venue)\n',
    goingAway,
  ),
  one(
    'a journal of another venue is let in',
    joiner,
    'if (line?.payload.venue === venue && this.knows(line!.kid))\n',
    'if (line && this.knows(line.kid))\n',
    goingAway,
  ),
  one('critical entries do not go first', journal, 'Number(b.first) - Number(a.first) || ', '', goingAway),
  one(
    'a page that is hidden is not written',
    lifecycle,
    "    if (document!.visibilityState === 'hidden') venue.writeNow();\n    else",
    "    if (document!.visibilityState !== 'hidden')",
    page,
  ),
  one(
    'a page waits for a turn before it writes',
    engine,
    '      issued = this.writer.writeNow();\n',
    '      issued = Promise.resolve().then(() => this.writer.writeNow());\n',
    page,
  ),
  one(
    'what is written in the usual way does not wait for the last write',
    writer,
    '      if (commit?.issued) await commit.issued;\n',
    '',
    goingAway,
  ),
  one(
    'a last write that failed counts as durable',
    writer,
    "this.landed(commit, 'relaxed')).catch(() => false);",
    "this.landed(commit, 'relaxed')).catch(() => this.landed(commit, 'relaxed'));",
    goingAway,
  ),
  one(
    'a last write counts as durable before what was written before it',
    writer,
    'while (this.commits[0]?.durable) this.settle();',
    'while (this.commits.length > 0) this.settle();',
    goingAway,
  ),
  one(
    'a flush takes a last write for more than it is',
    writer,
    "    this.relaxed = durability === 'relaxed' && !this.options.backend.strict;\n",
    "    if (durability === 'strict') this.relaxed = false;\n",
    goingAway,
  ),
  one(
    'a hint is looked for while the page that gave it is still writing',
    'backends/indexeddb/channel.ts',
    'const settledMs = 100;',
    'const settledMs = 0;',
    hints,
  ),
  one(
    'records are larger than what is kept',
    'backends/indexeddb/records.ts',
    'export const commitPartBytes = 32 * 1024;',
    'export const commitPartBytes = 512 * 1024;',
    page,
  ),
  one(
    'the last write goes behind the others',
    indexeddb,
    "put(db, 'last', commit, at, 'relaxed')",
    "put(db, 'commits', commit, at, 'relaxed')",
    page,
  ),
  one('a transaction is not committed at once', 'backends/indexeddb/records.ts', '      tx.commit();\n', '', page),
  one(
    'a flush is not strict',
    engine,
    "this.writer.write(forced ? 'strict' : 'relaxed')",
    "this.writer.write('relaxed')",
    page,
  ),

  // Several tabs.
  one('nobody catches up', joiner, '        await this.look();\n', '', tabs),
  one(
    'a gap is not looked into',
    joiner,
    'if (heads.length === 0 && this.ahead.get(writer)!.size === 1) void this.catchUp();',
    '',
    tabs,
  ),
  one(
    'a checkpoint covers what is behind a gap',
    joiner,
    '    else this.advance(line);',
    '    else this.cover(writer, index, line.hash);',
    tabs,
  ),
  one('another’s checkpoint is not joined', joiner, '        await this.joinCheckpoint(read);\n', '', tabs),
  one(
    'what another key has signed is joined',
    joiner,
    "      if (typeof read !== 'string' && read.line.payload.venue === this.state.venue && this.knows(read.line.kid))",
    "      if (typeof read !== 'string')",
    tabs,
  ),

  // A store that is gone.
  one('a vanished store is taken for a new one', 'src/venue.ts', '      report.evicted = true;\n', '', tabs),
  one(
    'a store that has gone back is taken as it is',
    joiner,
    'return !this.has(writer, index) && ',
    'return false && ',
    tabs,
  ),
  one('a store deleted while it is open is not written anew', engine, '    this.checkpointer.reset();\n', '', opening),
  one('an unclean end is forgotten', engine, '    if (marker?.wasLeftOpen())', '    if (false as boolean)', tabs),

  // Who is alive.
  one('two may hold the same thing', liveness, '      await this.venue.catchUp();\n      this.check();\n', '', alive),
  one(
    'a lease that ran out is renewed',
    liveness,
    '    if (!this.isValid()) {\n      this.lose();\n      return;\n    }\n',
    '',
    alive,
  ),
  one('a clock that jumped is believed', liveness, 'return left > 0 && left <= leaseMsMax;', 'return left > 0;', alive),
  one(
    'a page that goes keeps its lease',
    liveness,
    "    venue.on('leaving', () => this.leave());\n",
    '',
    named('leaving the page', 'test/services/liveness.test.ts'),
  ),
];
