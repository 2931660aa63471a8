// node scripts/ts.mjs bench/services/drives.ts: a drive on a real folder beside memfs, which keeps nothing, and node:fs, which does not sync; with --browser
// in Chromium beside LightningFS. Rounds take turns; prints medians and ratios, and never fails for being slow.
import { mkdirSync, rmSync } from 'node:fs';
import * as nodeFs from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createFsFromVolume, Volume } from 'memfs';
import { chromium } from 'playwright-core';
import { rolldown } from 'rolldown';
import { openVenue } from '../../src/node';
import { openDrive } from '../../src/services/drives';
import { type Fs, type Medians, measure } from './drives-work';

const rounds = 7;

async function inNode(): Promise<Medians> {
  const folder = join(process.cwd(), '.tmp', `bench-drives-${process.pid}`);
  mkdirSync(join(folder, 'real'), { recursive: true });
  const venue = await openVenue({ store: join(folder, 'venue.etch'), signals: false });
  const settle = async () => {};
  const memory = createFsFromVolume(new Volume()).promises as unknown as Fs;
  try {
    return await measure(
      {
        drive: { fs: openDrive(venue, 'bench'), root: '', settle: () => venue.flush() },
        memfs: { fs: memory, root: '', settle },
        'node:fs': { fs: nodeFs as unknown as Fs, root: join(folder, 'real'), settle },
      },
      rounds,
    );
  } finally {
    await venue.close();
    rmSync(folder, { recursive: true });
  }
}

async function inChromium(): Promise<Medians> {
  const build = await rolldown({
    input: join(process.cwd(), 'bench/services/drives-page.ts'),
    platform: 'browser',
    transform: { define: { 'process.env.NODE_ENV': '"production"' } },
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false });
  const server = createServer((request, response) => {
    // Isolated, for a fine clock.
    response.setHeader('cross-origin-opener-policy', 'same-origin');
    response.setHeader('cross-origin-embedder-policy', 'require-corp');
    response.setHeader('content-type', request.url === '/page.js' ? 'text/javascript' : 'text/html');
    response.end(request.url === '/page.js' ? output[0].code : '<script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as { port: number }).port}/`);
    await page.waitForFunction('"measureDrives" in globalThis');
    return (await page.evaluate(`measureDrives(${rounds})`)) as Medians;
  } finally {
    await browser.close();
    server.close();
  }
}

const medians = await (process.argv.includes('--browser') ? inChromium() : inNode());
const systems = Object.keys(Object.values(medians)[0]!);
const line = (first: string, rest: readonly string[]) =>
  console.log(first.padEnd(30) + rest.map((cell) => cell.padEnd(14)).join(''));
line(`us each, of ${rounds} rounds`, [...systems, ...systems.slice(1).map((name) => `: ${name}`)]);
for (const [what, of] of Object.entries(medians)) {
  const ratios = systems.slice(1).map((name) => (of.drive! / of[name]!).toFixed(2));
  line(what, [...systems.map((name) => of[name]!.toFixed(1)), ...ratios]);
}
