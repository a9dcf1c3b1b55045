import { problem } from '@dropbp/basics';
import { nodeModule } from './nodeModule.ts';

/**
 * Writes a file so that whoever looks sees the old one or the whole new one, also after a crash.
 *
 * @throws Problem if it cannot be written; the path is then as it was
 */
export async function writeAtomically(path: string, text: string): Promise<void> {
  const fs = nodeModule('node:fs/promises');
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    const handle = await fs.open(temporary, 'wx');
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await fs.rename(temporary, path);
  } catch (cause) {
    await fs.rm(temporary, { force: true });
    throw problem('compose', {
      what: `${path} cannot be written`,
      got: cause instanceof Error ? cause.message : cause,
      cause,
    });
  }
}
