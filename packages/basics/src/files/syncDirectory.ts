import { errorCode } from '../checks/errorCode.ts';
import { nodeModule } from './nodeModule.ts';

/** Brings renames in a directory to the disk. Windows and some network file systems cannot flush one: they are let be. */
export async function syncDirectory(packageName: string, directory: string): Promise<void> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  let handle: Awaited<ReturnType<typeof fs.open>> | undefined;
  try {
    handle = await fs.open(directory, 'r');
    await handle.sync();
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL', 'ENOTSUP'].includes(errorCode(error) ?? '')) throw error;
  } finally {
    await handle?.close();
  }
}
