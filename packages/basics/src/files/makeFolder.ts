import { errorCode } from '../checks/errorCode.ts';
import { nodeModule } from './nodeModule.ts';
import { problem } from '../checks/problem.ts';
import { syncDirectory } from './syncDirectory.ts';
import { writeProblem } from './writeProblem.ts';

/**
 * Makes a folder, and those above it, where they are not there yet. What is made reaches the disk at once.
 *
 * @param packageName - the package that speaks, without its scope
 * @throws Problem if it cannot be made, or if there is a file of that name
 */
export async function makeFolder(packageName: string, path: string): Promise<void> {
  const fs = nodeModule(packageName, 'node:fs/promises');
  const paths = nodeModule(packageName, 'node:path');
  const isFolder = (folder: string): Promise<boolean> =>
    fs.stat(folder).then(
      found => found.isDirectory(),
      () => false,
    );
  const makeOne = async (folder: string): Promise<void> => {
    try {
      await fs.mkdir(folder);
      await syncDirectory(packageName, paths.dirname(paths.resolve(folder)));
    } catch (error) {
      if (!(await isFolder(folder))) throw error;
    }
  };
  // Node's own `recursive` never comes back where there are no folders to be made, as in /proc: it takes the answer
  // ENOENT for that of a parent that is not there, makes the parent, and begins again. Here each is tried twice at most.
  const make = async (folder: string): Promise<void> => {
    try {
      await makeOne(folder);
    } catch (error) {
      const parent = paths.dirname(folder);
      if (errorCode(error) !== 'ENOENT' || parent === folder) throw error;
      await make(parent);
      await makeOne(folder);
    }
  };
  await make(path).catch((cause: unknown) => {
    if (errorCode(cause) !== 'ENOENT') throw writeProblem(packageName, path, cause);
    throw problem(packageName, {
      what: `the folder ${path} cannot be made`,
      got: 'ENOENT',
      fix: 'there are no folders to be made in this place: choose another',
      cause,
    });
  });
}
