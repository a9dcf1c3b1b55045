import { errorCode, isObject, nodeModule, problem } from '@dropbp/basics';
import { readProblem } from './readProblem.ts';

const expected = 'the folder of a model: for one on the hub, what findModelFolder() of @dropbp/models gives';

/**
 * Makes sure that what a tokenizer or a chat template is read from is a folder, or the parsed files. A GGUF file is read by another
 * package.
 *
 * @param caller - the function that was called, for the message
 * @throws Problem for a file, the header of a GGUF file, and a Blob, which names the functions to call
 */
export async function checkModelSource(source: unknown, caller: 'loadTokenizer' | 'loadChatTemplate'): Promise<void> {
  if (typeof source === 'string') return checkPath(source, caller);
  if (typeof Blob !== 'undefined' && source instanceof Blob) {
    const fix = `of a GGUF file: ${caller}(ggufTokenizer(await readGguf(blob))), with @dropbp/models`;
    throw problem('data', { what: `${caller}() was given a Blob`, expected: 'what the files hold, parsed', fix });
  }
  if (isObject(source) && 'metadata' in source && 'tensors' in source) {
    const fix = `${caller}(ggufTokenizer(header)), with ggufTokenizer() of @dropbp/models`;
    throw problem('data', { what: `${caller}() was given the header of a GGUF file`, expected, fix });
  }
}

async function checkPath(path: string, caller: string): Promise<void> {
  const { open, stat } = nodeModule('data', 'node:fs/promises');
  const isNamedGguf = /\.gguf$/i.test(path);
  const info = await stat(path).catch((cause: unknown) => {
    // What else is not there is said by who looks for it.
    if (errorCode(cause) === 'ENOENT' && !isNamedGguf) return undefined;
    throw readProblem(path, cause);
  });
  if (info === undefined || info.isDirectory()) return;
  const isGguf = isNamedGguf || (info.isFile() && (await startsWith(await open(path), 'GGUF')));
  throw problem('data', {
    what: `${path} is a ${isGguf ? 'GGUF ' : ''}file`,
    expected,
    fix: isGguf
      ? `${caller}(ggufTokenizer(await readGguf('${path}'))), with @dropbp/models`
      : 'give the folder that it lies in',
  });
}

async function startsWith(file: import('node:fs/promises').FileHandle, text: string): Promise<boolean> {
  try {
    const { buffer, bytesRead } = await file.read(new Uint8Array(text.length), 0, text.length, 0);
    return bytesRead === text.length && String.fromCharCode(...buffer) === text;
  } finally {
    await file.close();
  }
}
