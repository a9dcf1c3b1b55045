import { makeFolder, nodeModule, writeAtomically } from '@dropbp/basics';
import type { GgufField } from '@dropbp/models';
import { ALIGNMENT, encodeStart, type GgufTensorToWrite } from './encodeStart.ts';

/**
 * Writes a GGUF file of version 3. A file appears whole or not at all.
 *
 * @returns its size in bytes
 * @throws Problem if the file cannot be written, and what `bytes` throws
 */
export async function writeGguf(
  path: string,
  fields: ReadonlyMap<string, GgufField>,
  tensors: readonly GgufTensorToWrite[],
): Promise<number> {
  await makeFolder('export', nodeModule('export', 'node:path').dirname(path));
  let written = 0;
  await writeAtomically('export', path, async append => {
    const write = async (bytes: Uint8Array): Promise<void> => {
      await append(bytes);
      written += bytes.length;
    };
    await write(encodeStart(fields, tensors));
    await write(padding(written));
    for (const { bytes } of tensors) {
      await write(await bytes());
      await write(padding(written));
    }
  });
  return written;
}

function padding(length: number): Uint8Array {
  return new Uint8Array(Math.ceil(length / ALIGNMENT) * ALIGNMENT - length);
}
