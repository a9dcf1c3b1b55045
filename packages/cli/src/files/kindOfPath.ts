import { readdir, stat } from 'node:fs/promises';
import { problem } from '@dropbp/basics';

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
  if (files.includes('run.json')) return 'run';
  if (files.includes('adapter_config.json')) return 'adapter';
  if (files.includes('config.json')) return 'model';
  throw problem('cli', {
    what: `${path} holds neither a model nor an adapter`,
    got: files.length === 0 ? 'an empty folder' : files.slice(0, 8).join(', '),
    expected: 'config.json, adapter_config.json or run.json',
  });
}
