import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];
process.once('exit', () => folders.forEach(folder => rmSync(folder, { recursive: true, force: true })));

/** A folder of this process, gone when it ends, for what is read from paths alone. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `dropbp-fuzz-${name}-`));
  folders.push(folder);
  return folder;
}

/** Writes a file into a folder. @returns the folder */
export function withFile(folder: string, name: string, content: Uint8Array | string): string {
  writeFileSync(join(folder, name), content);
  return folder;
}

/** What stands in many JSON files, and what breaks readers of them. */
export const jsonPieces: readonly string[] = [
  ...['{', '}', '[', ']', '"', ',', ':', '\\', '\\ud800', 'null', 'true', '1e999', '-1', '0', '1e12', '0.5', '\ufeff'],
  ...['"__proto__":{"a":1},', '"constructor":5,', '[[[[[[[[[[', '{"a":'.repeat(50), '9007199254740993', '""'],
];

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
