import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { problem } from '@dropbp/basics';
import { shellWord } from '../terminal/shellWord.ts';

/** What lies at a path. */
export type KindOfPath = 'adapter' | 'gguf' | 'model' | 'run' | 'safetensors';

/**
 * Tells the folders and files that the commands know from each other.
 *
 * @throws Problem if there is nothing, or something else
 */
export async function kindOfPath(path: string): Promise<KindOfPath> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw problem('cli', { what: 'there is no such file or folder', got: path });
  if (!info.isDirectory()) {
    if (path.endsWith('.safetensors')) return 'safetensors';
    if (/\.gguf$/i.test(path)) return 'gguf';
    throw problem('cli', {
      what: 'this is no file that dropbp knows',
      got: path,
      expected: 'a .safetensors or .gguf file',
    });
  }
  const files = await readdir(path);
  const kind = kindOfFolder(files);
  if (kind !== undefined) return kind;
  throw problem('cli', {
    what: `${path} holds neither a model nor an adapter`,
    got: files.length === 0 ? 'an empty folder' : files.slice(0, 8).join(', '),
    expected: 'config.json, adapter_config.json or run.json',
  });
}

/**
 * Makes sure that a path which is a folder is one of a model or an adapter. What is no folder is let be: a model may be a file or
 * the id of one on the hub.
 *
 * @throws Problem that names the folder that was meant
 */
export async function checkFolder(path: string, wanted: 'adapter' | 'model'): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() !== true) return;
  const files = await readdir(path);
  const kind = kindOfFolder(files);
  if (kind === wanted) return;
  const inside = files.includes(wanted) ? `give --${wanted} ${shellWord(join(path, wanted))}` : undefined;
  const other = kind === 'adapter' || kind === 'model' ? `give it as --${kind}` : undefined;
  const fix = inside ?? other;
  throw problem('cli', {
    what: `${path} holds no ${wanted}${kind === undefined ? '' : `: it is ${kind === 'adapter' ? 'an' : 'a'} ${kind}`}`,
    expected: wanted === 'model' ? 'a folder with config.json, tokenizer.json and model.safetensors' : 'a folder with adapter_config.json', // prettier-ignore
    ...(fix !== undefined && { fix }),
  });
}

function kindOfFolder(files: readonly string[]): 'run' | 'adapter' | 'model' | undefined {
  // A run that is under way or was stopped has its options alone.
  if (files.includes('run.json') || files.includes('options.json')) return 'run';
  if (files.includes('adapter_config.json')) return 'adapter';
  return files.includes('config.json') ? 'model' : undefined;
}
