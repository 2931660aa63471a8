// The command `tidemark`: arguments in, exit code out. What each command does is in commands/; here is only how they are called.
import { createRequire } from 'node:module';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { publicKeyOf } from '../identity/did';
import { backup } from './commands/backup';
import { compact } from './commands/compact';
import { diagnostics } from './commands/diagnostics';
import { exportStore } from './commands/export';
import { importFile } from './commands/import';
import { inspect } from './commands/inspect';
import { log } from './commands/log';
import { restore } from './commands/restore';
import { status } from './commands/status';
import { verify } from './commands/verify';
import { CommandError, reportOf } from './errors';
import { findingsTable, type Outcome, printable } from './output';
import { createProgress, type Progress } from './progress';

const { version } = createRequire(import.meta.url)('tidemark/package.json') as { version: string };

const exitUsage = 2;
const entriesShown = 50;

const program = new Command('tidemark')
  .description('Looks after Tidemark stores: folders such as ./data/venue.etch.')
  .version(version)
  .exitOverride()
  .configureHelp({ showGlobalOptions: false })
  .configureOutput({ outputError: () => {} }) // said once, below
  .addHelpText(
    'after',
    `
What is read comes first, what is written comes second, as with cp.

Examples:
  tidemark status ./data/venue.etch
  tidemark verify ./data/venue.etch --json
  tidemark inspect ./data/venue.etch notes n1
  tidemark log ./data/venue.etch --limit 20
  tidemark backup ./data/venue.etch ./backup/venue-monday.etch
  tidemark restore ./backup/venue-monday.etch ./data/venue.etch --force
  tidemark export ./data/venue.etch --jsonl | gzip > venue.jsonl.gz
  tidemark diagnostics ./data/venue.etch --out packet.json

status, verify, inspect, log, export, diagnostics and backup change nothing, take no lock and need no key: they can be used while a program has the store
open. compact and import open it themselves, with its key.

Exit codes: 0 done, 1 damage was found or the command was refused or failed, 2 wrong arguments.
An error is one line on stderr: tidemark: <code>: <what, where, what to do>. With --json it is a line of JSON.`,
  );

interface Common {
  json?: boolean;
  trust: string[];
}

/** A command with what they all have. */
function command<A extends unknown[]>(
  usage: string,
  description: string,
  run: (progress: Progress, trusted: string[], options: Record<string, never>, ...args: A) => Promise<Outcome>,
): Command {
  return program
    .command(usage)
    .description(description)
    .option('--json', 'print one JSON document instead of text')
    .option(
      '--trust <did>',
      'also accept what this did:key has signed (can be repeated)',
      (did: string, all: string[]) => [...all, didKey(did)],
      [],
    )
    .action(async (...given: unknown[]) => {
      const args = given.slice(0, -2) as A;
      const options = given.at(-2) as Common;
      const progress = createProgress();
      try {
        const outcome = await run(progress, options.trust, options as unknown as Record<string, never>, ...args);
        progress.stop();
        print(outcome, options.json === true);
      } finally {
        progress.stop();
      }
    });
}

function print({ text, json, note, exitCode = 0 }: Outcome, asJson: boolean): void {
  const output = asJson ? json && JSON.stringify(json) : text;
  if (output) process.stdout.write(`${output}\n`);
  if (note && !(asJson && json)) process.stderr.write(`tidemark: ${note}\n`);
  process.exitCode = exitCode;
}

function number(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function didKey(text: string): string {
  try {
    publicKeyOf(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(`It is ${(error as Error).message}.`);
  }
}

command<[string]>(
  'status <store>',
  'what a store is, who has it open, what an opening would find',
  (progress, trusted, _, store) => status(store, trusted, progress),
);

command<[string]>(
  'verify <store>',
  'check every signature, digest, link and chunk that is kept; exit code 1 if anything is damaged',
  (progress, trusted, _, store) => verify(store, trusted, progress),
);

command<[string, string?, string?]>(
  'inspect <store> [region] [key]',
  'show the regions, the entries of a region, or one entry and where it stands',
  (progress, trusted, { prefix, limit, all }: { prefix?: string; limit?: number; all?: boolean }, store, region, key) =>
    inspect(
      store,
      trusted,
      { region, key, prefix, limit: all ? Number.POSITIVE_INFINITY : (limit ?? entriesShown) },
      progress,
    ),
)
  .option('--prefix <text>', 'only keys that begin so')
  .option('--limit <n>', `show at most so many entries (default: ${entriesShown})`, number)
  .option('--all', 'show all of them');

command<[string]>(
  'log <store>',
  'list the commits in the logs, newest last',
  (progress, _, { limit }: { limit?: number }, store) => log(store, limit ?? Number.POSITIVE_INFINITY, progress),
).option('--limit <n>', 'only the newest n', number);

command<[string, string]>(
  'backup <store> <to>',
  'make a verified copy, also of a store in use; without its key',
  (progress, trusted, _, store, to) => backup(store, to, trusted, progress),
);

command<[string, string]>(
  'restore <from> <store>',
  'verify a backup and put a copy of it where the store is to be',
  (progress, trusted, { force }: { force?: boolean }, from, store) =>
    restore(from, store, force === true, trusted, progress),
).option('--force', 'move a store that is there aside, to <store>.before-restore-<time>');

command<[string]>('compact <store>', 'fold the logs into a checkpoint; takes the lock', (progress, trusted, _, store) =>
  compact(store, trusted, progress),
);

command<[string]>(
  'diagnostics <store>',
  'print one packet of JSON for whoever is to help: files, what an opening and verify find; no keys, no values',
  (progress, trusted, { out }: { out?: string }, store) => diagnostics(store, trusted, { out }, progress),
).option('--out <file>', 'write to a file');

command<[string]>(
  'export <store>',
  'print every entry as a line {"region","key","value","stamp"}; values as in docs/FORMAT.md',
  (progress, trusted, { region, out }: { region?: string; out?: string }, store) =>
    exportStore(store, trusted, { region, out }, process.stdout, progress),
)
  .option('--jsonl', 'as JSON Lines (the default, and the only form)')
  .option('--region <name>', 'only this region')
  .option('--out <file>', 'write to a file, whole or not at all');

command<[string, string]>(
  'import <file> <store>',
  'set every entry of an export, in a store that is there or in a new one; deletes nothing',
  (progress, trusted, _, file, store) => importFile(file, store, trusted, progress),
);

function fail(error: unknown): void {
  const report = reportOf(error);
  const { code, message, findings } = report;
  const list = findings ? `\n${findingsTable(findings)}` : '';
  const isJson = process.argv.includes('--json');
  process.stderr.write(
    isJson ? `${JSON.stringify({ error: report })}\n` : `tidemark: ${code}: ${printable(message)}${list}\n`,
  );
  process.exitCode = code === 'usage' ? exitUsage : 1;
}

// Whoever reads us has seen enough, e.g. head.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') fail(error);
  process.exit();
});
process.on('uncaughtException', (error) => {
  fail(error);
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) fail(error);
  else if (error.code === 'commander.help') process.exitCode = error.exitCode === 0 ? 0 : exitUsage;
  else if (error.exitCode !== 0) fail(new CommandError('usage', error.message.replace(/^error: /, '')));
}
