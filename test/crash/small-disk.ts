// A real file system of a few megabytes that can be filled and freed: a tmpfs in a mount namespace of its own, which goes away with the process
// that holds it, also when a test run is killed. Knows nothing of venues.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, writeSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface SmallDisk {
  readonly path: string;
  /** Fills it with a file, up to this many bytes. */
  fill(leaveBytes?: number): Promise<void>;
  /** Removes that file. */
  free(): Promise<void>;
  remove(): Promise<void>;
}

export async function mountSmallDisk(bytes: number): Promise<SmallDisk> {
  // Who is not root becomes root in a user namespace of his own; `cat` ends when we do.
  const asRoot = process.getuid!() === 0 ? [] : ['--map-root-user'];
  const script = `mount -t tmpfs -o size=${bytes} tidemark-test /mnt && echo mounted && exec cat`;
  const holder = spawn('unshare', [...asRoot, '--mount', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  holder.stderr.on('data', (data) => {
    complaint += data;
  });
  const ended = once(holder, 'close');
  const mounted = once(holder.stdout, 'data');
  await Promise.race([
    mounted,
    ended.then(() => Promise.reject(new Error(`no small disk could be mounted: ${complaint}`))),
  ]);
  ended.catch(() => undefined);

  const path = `/proc/${holder.pid}/root/mnt`;
  const ballast = join(path, 'ballast');
  const block = Buffer.alloc(4096);
  return {
    path,
    async fill(leaveBytes = 0) {
      const spare = join(path, 'spare');
      writeAll(spare, leaveBytes);
      writeAll(ballast, Number.POSITIVE_INFINITY);
      await unlink(spare);
    },
    free: () => unlink(ballast),
    async remove() {
      holder.stdin.end();
      await ended;
    },
  };

  function writeAll(file: string, length: number): void {
    const handle = openSync(file, 'w');
    try {
      for (let at = 0; at < length; at += block.length) writeSync(handle, block);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(handle);
    }
  }
}
