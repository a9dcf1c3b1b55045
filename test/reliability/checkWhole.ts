import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSafetensors } from '@dropbp/safetensors';

/**
 * Looks at every file of a run that is not hidden: each must be whole. Of the log and TensorBoard's events, to which is only
 * added, the last entry may be cut off.
 *
 * @returns what is not whole, a line each, and how many hidden leftovers there are
 */
export async function checkWhole(folder: string): Promise<{ files: number; broken: string[]; leftovers: number }> {
  const result = { files: 0, broken: [] as string[], leftovers: 0 };
  await visit(folder, result);
  return result;
}

async function visit(folder: string, result: { files: number; broken: string[]; leftovers: number }): Promise<void> {
  const entries = readdirSync(folder, { withFileTypes: true });
  if (/step-\d+$/.test(folder) && entries.length !== 3) result.broken.push(`${folder} holds ${entries.length} files`);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.')) result.leftovers++;
    else if (entry.isDirectory()) await visit(path, result);
    else {
      result.files++;
      await checkFile(path).catch((error: unknown) => result.broken.push(`${path}: ${String(error)}`));
    }
  }
}

async function checkFile(path: string): Promise<void> {
  if (path.endsWith('.safetensors')) {
    const file = await openSafetensors(path);
    for (const name of file.tensors.keys()) await file.read(name);
    await file.close();
  } else if (path.endsWith('.json')) JSON.parse(readFileSync(path, 'utf8'));
  else if (path.endsWith('.jsonl')) {
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    for (const line of lines) JSON.parse(line);
  } else if (path.endsWith('.html') && !readFileSync(path, 'utf8').trimEnd().endsWith('</html>')) {
    throw new Error('the page has no end');
  }
}
