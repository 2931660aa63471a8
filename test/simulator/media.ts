// The tree of a simulated disk: folders with entries that are durable and entries that are not yet, and what a loss of power
// makes of them. Knows no calls, no handles, no faults and no time.
import { failure } from './faults';
import { Inode, type Loss } from './inode';
import type { Random } from './random';

type Bytes = Uint8Array<ArrayBuffer>;
type Node = Inode | Folder;

export class Folder {
  live = new Map<string, Node>();
  readonly durable = new Map<string, Node>();
}

/** One name in one folder that now stands for something else, or for nothing. */
interface Change {
  readonly folder: Folder;
  readonly name: string;
  readonly node: Node | undefined;
}

interface EntryOp {
  readonly order: number;
  changes: Change[];
}

const setEntry = (entries: Map<string, Node>, { name, node }: Change): void => {
  if (node) entries.set(name, node);
  else entries.delete(name);
};

const same = (a: Change, b: Change): boolean => a.folder === b.folder && a.name === b.name;

export class Media {
  readonly root = new Folder();
  private unsynced: EntryOp[] = [];
  private clock = 0;
  /** Bytes that files may take in all. Raising it is freeing space. */
  capacity = Infinity;

  constructor(private readonly random: Random) {}

  folderAt(path: string): Folder {
    let folder = this.root;
    for (const name of path.split('/')) {
      const node = name === '' ? folder : folder.live.get(name);
      if (!node) throw failure('ENOENT', 'lookup', path);
      if (node instanceof Inode) throw failure('ENOTDIR', 'lookup', path);
      folder = node;
    }
    return folder;
  }

  /** Where a path's last name stands, whether or not there is something. */
  place(path: string): { folder: Folder; name: string } {
    const cut = path.lastIndexOf('/');
    return { folder: this.folderAt(path.slice(0, cut)), name: path.slice(cut + 1) };
  }

  fileAt(path: string): Inode {
    const { folder, name } = this.place(path);
    const node = folder.live.get(name);
    if (!node) throw failure('ENOENT', 'lookup', path);
    if (node instanceof Folder) throw failure('EISDIR', 'lookup', path);
    return node;
  }

  /** Creates a folder and its missing parents. @returns the path of the first that was made. */
  makeFolders(path: string, fault: string | undefined): string | undefined {
    let folder = this.root;
    let prefix = '';
    let first: string | undefined;
    for (const name of path.split('/').filter(Boolean)) {
      prefix += `/${name}`;
      let node = folder.live.get(name);
      if (node instanceof Inode) throw failure('ENOTDIR', 'mkdir', prefix);
      if (!node) {
        if (fault) throw failure(fault, 'mkdir', prefix);
        node = new Folder();
        this.change({ folder, name, node });
        first ??= prefix;
      }
      folder = node;
    }
    return first;
  }

  /** The place of the next operation among all: a sync covers what was done before it was asked for. */
  order(): number {
    return this.clock++;
  }

  /** Changes entries, all of them or none: a rename is one operation. */
  change(...changes: Change[]): void {
    for (const change of changes) setEntry(change.folder.live, change);
    this.unsynced.push({ order: this.order(), changes });
  }

  /**
   * Makes what happened in a folder before `order` durable. A rename into another folder is durable at its new name once that folder is
   * synced, gone from the old one once that is synced too, and never nowhere.
   */
  syncFolder(folder: Folder, order: number): void {
    for (const op of this.unsynced) {
      if (op.order >= order) break;
      const moved = op.changes.some((change) => change.folder !== folder && change.node);
      for (const change of op.changes) {
        if (change.folder !== folder || (moved && !change.node)) continue;
        setEntry(folder.durable, change);
        op.changes = op.changes.filter((other) => other !== change);
        this.forgetBefore(op.order, change);
      }
    }
    this.unsynced = this.unsynced.filter((op) => op.changes.length > 0);
  }

  /** What a name stood for before no longer matters once something later is durable there. */
  private forgetBefore(order: number, change: Change): void {
    for (const op of this.unsynced) {
      if (op.order >= order) break;
      op.changes = op.changes.filter((other) => !same(other, change));
    }
  }

  /** The power fails: of what was not synced any part survives, but what happens to one name happens in order. */
  losePower(): void {
    const loss = this.random.weighted<Loss>({ everything: 2, nothing: 1, some: 5 });
    const lost: Change[] = [];
    for (const { changes } of this.unsynced) {
      const follows = changes.some((change) => lost.some((other) => same(change, other)));
      const survives = loss === 'nothing' || (loss === 'some' && !follows && this.random.chance(0.5));
      if (survives) for (const change of changes) setEntry(change.folder.durable, change);
      else lost.push(...changes);
    }
    this.unsynced = [];
    const inodes = new Set<Inode>();
    this.walk(this.root, 'durable', '', (_path, inode) => inodes.add(inode));
    for (const inode of inodes) inode.losePower(loss, this.random);
    this.settle(this.root);
  }

  private settle(folder: Folder): void {
    folder.live = new Map(folder.durable);
    for (const node of folder.live.values()) if (node instanceof Folder) this.settle(node);
  }

  /** A process ends and the system goes on: nothing is lost but what the kernel had dropped already. */
  evict(): void {
    this.walk(this.root, 'live', '', (_path, inode) => inode.evict());
  }

  /** Every file with its bytes: as processes see them, or as they would be if nothing unsynced survived. */
  files(which: 'live' | 'durable'): Map<string, Bytes> {
    const files = new Map<string, Bytes>();
    this.walk(this.root, which, '', (path, inode) =>
      files.set(path, which === 'live' ? inode.view() : inode.durableView()),
    );
    return files;
  }

  freeBytes(): number {
    return this.capacity === Infinity ? Infinity : Math.max(0, this.capacity - this.usedBytes());
  }

  usedBytes(): number {
    const inodes = new Set<Inode>();
    this.walk(this.root, 'live', '', (_path, inode) => inodes.add(inode));
    let used = 0;
    for (const inode of inodes) used += inode.size;
    return used;
  }

  private walk(
    folder: Folder,
    which: 'live' | 'durable',
    prefix: string,
    visit: (path: string, inode: Inode) => void,
  ): void {
    for (const [name, node] of folder[which]) {
      if (node instanceof Folder) this.walk(node, which, `${prefix}/${name}`, visit);
      else visit(`${prefix}/${name}`, node);
    }
  }
}
