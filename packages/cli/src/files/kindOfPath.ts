import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkIsFile, problem } from '@dropbp/basics';
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
    checkIsFile('cli', path, info);
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
 * Makes sure that a path is none of something else: a folder of another kind, or a file where an adapter is asked for. What is
 * not there is let be: a model may be the id of one on the hub.
 *
 * @param wanted - a base is a model to be trained, in whose place no adapter can stand
 * @param named - the flag that names the path. @defaultValue that of what is wanted
 * @throws Problem that says what it is, and which one was meant
 */
export async function checkFolder(
  path: string,
  wanted: 'adapter' | 'model' | 'base',
  named: 'adapter' | 'model' | 'from' = wanted === 'adapter' ? 'adapter' : 'model',
): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  const flag = wanted === 'base' ? 'model' : wanted;
  const expected = flag === 'model' ? 'a folder with config.json, tokenizer.json and model.safetensors' : 'a folder with adapter_config.json'; // prettier-ignore
  if (info === undefined || (info.isFile() && flag === 'model')) return;
  if (info.isFile()) throw problem('cli', { what: `${path} is a file`, expected });
  if (!info.isDirectory()) checkIsFile('cli', path, info);
  const files = await readdir(path);
  const kind = kindOfFolder(files);
  if (kind === flag) return;
  const other = flag === 'model' ? 'adapter' : 'model';
  const give = (part: string): string => `give --${part === flag ? named : part} ${shellWord(join(path, part))}`;
  const replaced = kind === other ? `give it as --${other}` : files.includes(other) ? give(other) : undefined;
  const trained = kind === 'adapter' || kind === 'run' ? 'give the model that it was trained on' : undefined;
  const fix = files.includes(flag) ? give(flag) : wanted === 'base' ? trained : named === 'from' ? undefined : replaced;
  throw problem('cli', {
    what: `${path} holds no ${flag}${kind === undefined ? '' : `: it is ${kind === 'adapter' ? 'an' : 'a'} ${kind}`}`,
    expected,
    ...(fix !== undefined && { fix }),
  });
}

function kindOfFolder(files: readonly string[]): 'run' | 'adapter' | 'model' | undefined {
  if (files.includes('adapter_config.json')) return 'adapter';
  if (files.includes('config.json')) return 'model';
  // A run that is under way or was stopped has its options alone.
  return files.includes('run.json') || files.includes('options.json') ? 'run' : undefined;
}
