import { mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Call } from './control.ts';

/** A file: what is in it, and what of that is on the disk. */
interface FileNode {
  readonly kind: 'file';
  data: Uint8Array;
  synced: Uint8Array;
}
interface LinkNode {
  readonly kind: 'link';
  readonly target: string;
}
/** A folder: the names in it, those on the disk, and the changes that may or may not have reached the disk. */
interface FolderNode {
  readonly kind: 'folder';
  readonly names: Map<string, Node>;
  readonly synced: Map<string, Node>;
  pending: Change[];
}
type Node = FileNode | LinkNode | FolderNode;

/** A change of names. A move from one folder to another is one change, which lies in both. */
interface Change {
  readonly remove?: { readonly folder: FolderNode; readonly name: string };
  readonly add?: { readonly folder: FolderNode; readonly name: string; readonly node: Node };
}

/** What a crash leaves of what was not flushed. */
export interface Loss {
  readonly name: string;
  /** Which of a folder's changes reached the disk. */
  readonly keepsChange: (index: number, count: number) => boolean;
  /** The share of the bytes not flushed that reached the disk. */
  readonly bytes: number;
}

/** The ends of what disks do: names and bytes reach them in any order. */
export const losses: readonly Loss[] = [
  { name: 'all that was not flushed is lost', keepsChange: () => false, bytes: 0 },
  { name: 'names are kept, bytes lost', keepsChange: () => true, bytes: 0 },
  { name: 'names are kept, bytes cut', keepsChange: () => true, bytes: 0.5 },
  { name: 'of names only the last is kept', keepsChange: (i, count) => i === count - 1, bytes: 0 },
  { name: 'of names only the first is lost', keepsChange: i => i > 0, bytes: 1 },
  { name: 'nothing is lost', keepsChange: () => true, bytes: 1 },
];

/** What lies in a folder, and what of it is on the disk. */
export interface DiskModel {
  /** Follows a call. @returns whether it changed something */
  apply(call: Call): boolean;
  /** Writes what a crash leaves now. */
  write(folder: string, loss: Loss): void;
  /** The same as text, to tell states apart. */
  describe(loss: Loss): string;
}

/** Begins with what a folder holds, all of it on the disk. */
export function diskModel(root: string): DiskModel {
  const top = readFolder(root);

  function find(path: string): { folder: FolderNode; name: string; node: Node | undefined } | undefined {
    let folder: Node | undefined = top;
    if (path === root) return { folder: top, name: '', node: top };
    for (const part of dirname(path).slice(root.length).split('/').filter(Boolean)) {
      folder = folder?.kind === 'folder' ? folder.names.get(part) : undefined;
    }
    if (folder?.kind !== 'folder') return undefined;
    return { folder, name: basename(path), node: folder.names.get(basename(path)) };
  }
  function place(path: string, node: Node): void {
    const found = find(path);
    if (found !== undefined) change({ add: { folder: found.folder, name: found.name, node } });
  }
  function remove(path: string): void {
    const found = find(path);
    if (found?.node !== undefined) change({ remove: found });
  }

  return {
    apply({ name, path, to, at, bytes }) {
      const node = find(path)?.node;
      if (name === 'create' && node === undefined) place(path, { kind: 'file', data: empty, synced: empty });
      else if (name === 'empty' && node?.kind === 'file') node.data = empty;
      else if (name === 'write' && node?.kind === 'file') node.data = written(node.data, at, bytes);
      else if (name === 'truncate' && node?.kind === 'file') node.data = written(node.data.slice(0, at), at, empty);
      else if (name === 'fsync' && node !== undefined) flush(node);
      else if (name === 'mkdir') place(path, emptyFolderNode());
      else if (name === 'symlink') place(path, { kind: 'link', target: to });
      else if (name === 'link' && node !== undefined) place(to, node);
      else if (name === 'unlink' || name === 'rmdir') remove(path);
      else if (name === 'rename' && node !== undefined) {
        const [from, target] = [find(path), find(to)];
        if (from !== undefined && target !== undefined) change({ remove: from, add: { ...target, node } });
      } else return false;
      return true;
    },
    write: (folder, loss) => writeNode(folder, top, loss),
    describe: loss => describeNode(top, loss),
  };
}

const empty = new Uint8Array();

function emptyFolderNode(): FolderNode {
  return { kind: 'folder', names: new Map(), synced: new Map(), pending: [] };
}

function readFolder(folder: string): FolderNode {
  const node = emptyFolderNode();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const child: Node = entry.isDirectory()
      ? readFolder(path)
      : entry.isSymbolicLink()
        ? { kind: 'link', target: readlinkSync(path) }
        : { kind: 'file', data: readFileSync(path), synced: readFileSync(path) };
    node.names.set(entry.name, child);
    node.synced.set(entry.name, child);
  }
  return node;
}

function change(made: Change): void {
  const { remove, add } = made;
  remove?.folder.names.delete(remove.name);
  add?.folder.names.set(add.name, add.node);
  for (const folder of new Set([remove?.folder, add?.folder])) folder?.pending.push(made);
}

function flush(node: Node): void {
  if (node.kind === 'file') node.synced = node.data;
  if (node.kind !== 'folder') return;
  for (const made of node.pending) {
    made.remove?.folder.synced.delete(made.remove.name);
    made.add?.folder.synced.set(made.add.name, made.add.node);
    const other = [made.remove?.folder, made.add?.folder].find(folder => folder !== undefined && folder !== node);
    if (other !== undefined) other.pending = other.pending.filter(one => one !== made);
  }
  node.pending = [];
}

function written(old: Uint8Array, at: number, bytes: Uint8Array): Uint8Array {
  const data = new Uint8Array(Math.max(old.length, at + bytes.length));
  data.set(old);
  data.set(bytes, at);
  return data;
}

/** The names that a crash leaves in a folder. */
function namesLeft({ synced, pending }: FolderNode, folder: FolderNode, loss: Loss): Map<string, Node> {
  const names = new Map(synced);
  pending.forEach(({ remove, add }, i) => {
    if (!loss.keepsChange(i, pending.length)) return;
    if (remove?.folder === folder) names.delete(remove.name);
    if (add?.folder === folder) names.set(add.name, add.node);
  });
  return names;
}

function bytesLeft({ data, synced }: FileNode, loss: Loss): Uint8Array {
  if (loss.bytes === 0) return synced;
  if (loss.bytes === 1) return data;
  const least = Math.min(synced.length, data.length);
  return data.slice(0, least + Math.floor((data.length - least) * loss.bytes));
}

function writeNode(path: string, node: Node, loss: Loss): void {
  if (node.kind === 'file') writeFileSync(path, bytesLeft(node, loss));
  else if (node.kind === 'link') symlinkSync(node.target, path);
  else {
    mkdirSync(path, { recursive: true });
    for (const [name, child] of namesLeft(node, node, loss)) writeNode(join(path, name), child, loss);
  }
}

function describeNode(node: Node, loss: Loss): string {
  if (node.kind === 'file') return Buffer.from(bytesLeft(node, loss)).toString('base64');
  if (node.kind === 'link') return `-> ${node.target}`;
  const names = [...namesLeft(node, node, loss)].sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${names.map(([name, child]) => `${name}: ${describeNode(child, loss)}`).join(', ')}}`;
}
