// The fs backend's `Disk`, simulated: what each call does to handles, files and folders. How calls are counted, delayed and
// cut off is calls.ts's business, what is lost media.ts's, which of them fail faults.ts's.
import type { Disk, OpenFlag } from '../../backends/fs/disk';
import type { Bytes } from '../../src/backend';
import type { Clock } from '../../src/base/seams';
import { Calls, type Phase } from './calls';
import { type Fault, type Faults, failure, type Op } from './faults';
import { Inode } from './inode';
import { Folder, Media } from './media';
import { Random } from './random';

interface Handle {
  readonly inode: Inode;
  readonly path: string;
  position: number;
  readonly flag: OpenFlag;
}

export class SimDisk implements Disk {
  private readonly calls: Calls;
  private readonly handles = new Map<number, Handle>();

  private constructor(
    private readonly random: Random,
    private readonly media: Media,
    private readonly clock: Clock | undefined,
  ) {
    this.calls = new Calls(random.fork(), clock);
  }

  /** An empty disk. `clock` times slow calls. */
  static blank(seed: number, clock?: Clock): SimDisk {
    const random = new Random(seed);
    return new SimDisk(random, new Media(random.fork()), clock);
  }

  /** Another process's view of the same disk, with handles, hooks and faults of its own. */
  process(): SimDisk {
    return new SimDisk(this.random.fork(), this.media, this.clock);
  }

  /** Which calls go wrong. */
  get faults(): Faults {
    return this.calls.faults;
  }

  /** Called around every call, by its number (from 1). May crash the disk. */
  set onCall(hook: ((call: number, phase: Phase, op: Op, path: string) => void) | undefined) {
    this.calls.onCall = hook;
  }

  /** Calls so far. */
  get callCount(): number {
    return this.calls.count;
  }

  get isDead(): boolean {
    return this.calls.dead;
  }

  /** Bytes that files may take in all. Raising it is freeing space. */
  set capacity(bytes: number) {
    this.media.capacity = bytes;
  }

  /** Leaves so many bytes free. */
  fill(roomBytes: number): void {
    this.media.capacity = this.media.usedBytes() + roomBytes;
  }

  /** While true, everything that writes fails with EROFS. */
  set readOnly(readOnly: boolean) {
    this.calls.readOnly = readOnly;
  }

  /** A call takes up to `ms` with this chance, so that calls overlap and may happen out of order. */
  slowness(rate: number, ms: number): void {
    this.calls.slow = { rate, ms };
  }

  /** The process is killed: what it had issued has happened or not, nothing of it settles any more. The kernel lives, nothing else is lost. */
  kill(): void {
    this.calls.die();
    this.handles.clear();
    this.media.evict();
  }

  /** The power fails. @returns the disk as the next process finds it. */
  crash(): SimDisk {
    this.kill();
    this.media.losePower();
    return this.process();
  }

  /** Every file with its bytes, as a process would read them now. */
  files(): Map<string, Bytes> {
    return this.media.files('live');
  }

  /** Every file with its bytes, if power failed now and took all that it may. */
  durableView(): Map<string, Bytes> {
    return this.media.files('durable');
  }

  /** Rot. */
  flip(path: string, byte: number, mask: number): void {
    this.media.fileAt(path).flip(byte, mask);
  }

  openFiles(): string[] {
    return [...this.handles.values()].map((handle) => handle.path);
  }

  // ---- the calls ----

  open(path: string, flag: OpenFlag, _mode?: number): Promise<number> {
    return this.calls.make('open', path, (fault) => this.openNow(path, flag, fault), flag !== 'r');
  }

  close(file: number): Promise<void> {
    // The number is free at once, as in the kernel: who closes twice closes somebody else's file.
    const handle = this.handles.get(file);
    this.handles.delete(file);
    return this.calls.make('close', handle?.path ?? '', (fault) => {
      if (!handle) throw failure('EBADF', 'close', String(file));
      if (fault) throw failure(fault, 'close', handle.path);
    });
  }

  write(file: number, bytes: Bytes, offset: number, length: number): Promise<number> {
    const handle = this.handles.get(file);
    return this.calls.make(
      'write',
      handle?.path ?? '',
      (fault) => this.writeNow(handle, bytes, offset, length, fault),
      true,
    );
  }

  read(file: number, bytes: Bytes, offset: number, length: number, position: number): Promise<number> {
    const handle = this.handles.get(file);
    return this.calls.make('read', handle?.path ?? '', (fault) => {
      if (!handle || handle.flag === 'wx') throw failure('EBADF', 'read', String(file));
      if (fault && fault !== 'short') throw failure(fault, 'read', handle.path);
      const available = handle.inode.view().subarray(position, position + length);
      const taken =
        fault && available.length > 1 ? available.subarray(0, 1 + this.random.below(available.length - 1)) : available;
      bytes.set(taken, offset);
      return taken.length;
    });
  }

  fdatasync(file: number): Promise<void> {
    return this.sync('fdatasync', file);
  }

  fsync(file: number): Promise<void> {
    return this.sync('fsync', file);
  }

  private sync(op: 'fdatasync' | 'fsync', file: number): Promise<void> {
    const handle = this.handles.get(file);
    const order = this.media.order();
    return this.calls.make(op, handle?.path ?? '', (fault) => this.syncNow(op, handle, order, fault));
  }

  truncate(file: number, size: number): Promise<void> {
    const handle = this.handles.get(file);
    const path = handle?.path ?? '';
    return this.calls.make(
      'truncate',
      path,
      (fault) => {
        if (!handle) throw failure('EBADF', 'truncate', path);
        if (handle.flag === 'r') throw failure('EINVAL', 'truncate', path);
        if (fault) throw failure(fault, 'truncate', path);
        handle.inode.truncate(this.media.order(), size);
      },
      true,
    );
  }

  size(file: number): Promise<number> {
    const handle = this.handles.get(file);
    return this.calls.make('size', handle?.path ?? '', (fault) => {
      if (!handle) throw failure('EBADF', 'size', String(file));
      if (fault) throw failure(fault, 'size', handle.path);
      return handle.inode.size;
    });
  }

  rename(from: string, to: string): Promise<void> {
    const effect = (fault?: Fault) => {
      if (fault) throw failure(fault, 'rename', from);
      const inode = this.media.fileAt(from);
      const [source, target] = [this.media.place(from), this.media.place(to)];
      const there = target.folder.live.get(target.name);
      if (there instanceof Folder) throw failure('EISDIR', 'rename', to);
      if (there === inode) return; // POSIX: two names of one file stay as they are
      this.media.change({ ...target, node: inode }, { ...source, node: undefined });
    };
    return this.calls.make('rename', from, effect, true);
  }

  link(from: string, to: string): Promise<void> {
    const effect = (fault?: Fault) => {
      if (fault) throw failure(fault, 'link', from);
      const inode = this.media.fileAt(from);
      const target = this.media.place(to);
      if (target.folder.live.has(target.name)) throw failure('EEXIST', 'link', to);
      this.media.change({ ...target, node: inode });
    };
    return this.calls.make('link', from, effect, true);
  }

  unlink(path: string): Promise<void> {
    const effect = (fault?: Fault) => {
      if (fault) throw failure(fault, 'unlink', path);
      this.media.fileAt(path);
      this.media.change({ ...this.media.place(path), node: undefined });
    };
    return this.calls.make('unlink', path, effect, true);
  }

  mkdir(path: string): Promise<string | undefined> {
    return this.calls.make('mkdir', path, (fault) => this.media.makeFolders(path, fault), true);
  }

  readdir(path: string): Promise<string[]> {
    return this.calls.make('readdir', path, (fault) => {
      if (fault) throw failure(fault, 'readdir', path);
      return this.random.shuffle([...this.media.folderAt(path).live.keys()]);
    });
  }

  syncFolder(path: string): Promise<void> {
    const order = this.media.order();
    return this.calls.make('syncFolder', path, (fault) => {
      if (fault) throw failure(fault, 'syncFolder', path);
      this.media.syncFolder(this.media.folderAt(path), order);
    });
  }

  writeFileNow(path: string, bytes: Bytes): void {
    const file = this.calls.makeNow('open', path, (fault) => this.openNow(path, 'wx', fault), true);
    const handle = this.handles.get(file);
    try {
      for (let at = 0; at < bytes.length; ) {
        at += this.calls.makeNow(
          'write',
          path,
          (fault) => this.writeNow(handle, bytes, at, bytes.length - at, fault),
          true,
        );
      }
      this.calls.makeNow('fdatasync', path, (fault) => this.syncNow('fdatasync', handle, this.media.order(), fault));
    } finally {
      this.handles.delete(file);
    }
    const folder = path.slice(0, path.lastIndexOf('/'));
    this.calls.makeNow('syncFolder', folder, (fault) => {
      if (fault) throw failure(fault, 'syncFolder', folder);
      this.media.syncFolder(this.media.folderAt(folder), this.media.order());
    });
  }

  // ---- what a call does when it happens ----

  private openNow(path: string, flag: OpenFlag, fault: Fault | undefined): number {
    if (fault) throw failure(fault, 'open', path);
    const { folder, name } = this.media.place(path);
    let node = folder.live.get(name);
    if (node instanceof Folder) throw failure('EISDIR', 'open', path);
    if (flag === 'wx') {
      if (node) throw failure('EEXIST', 'open', path);
      node = new Inode();
      this.media.change({ folder, name, node });
    }
    if (!node) throw failure('ENOENT', 'open', path);
    let file = 3;
    while (this.handles.has(file)) file++; // the lowest free number, as POSIX has it
    this.handles.set(file, { inode: node, path, position: 0, flag });
    return file;
  }

  private writeNow(
    handle: Handle | undefined,
    bytes: Bytes,
    offset: number,
    length: number,
    fault: Fault | undefined,
  ): number {
    if (!handle || handle.flag === 'r') throw failure('EBADF', 'write', handle?.path ?? '');
    const { inode, path, position } = handle;
    // A failed write may have written something all the same.
    let taken = fault ? this.random.below(length) : length;
    if (fault === 'EROFS') taken = 0;
    if (fault === 'short') taken = Math.max(1, taken);
    if (position + taken > inode.size) {
      taken = Math.min(taken, Math.max(0, inode.size - position) + this.media.freeBytes());
    }
    if (taken > 0) inode.write(this.media.order(), position, bytes.subarray(offset, offset + taken));
    handle.position += taken;
    if (fault && fault !== 'short') throw failure(fault, 'write', path);
    if (taken === 0 && length > 0) throw failure('ENOSPC', 'write', path);
    return taken;
  }

  private syncNow(op: Op, handle: Handle | undefined, order: number, fault: Fault | undefined): void {
    if (!handle) throw failure('EBADF', op, '');
    if (fault) {
      handle.inode.drop(order, this.random);
      throw failure(fault, op, handle.path);
    }
    handle.inode.sync(order);
  }
}
