import { makeFolder, Problem, syncDirectory, writeAtomically } from '@dropbp/basics';
import { diskProblem, errorCode } from '../fetch/hubProblem.ts';
import { hubLibrary, hostModules } from './hostModules.ts';
import { isCommit } from '../list/checkHubId.ts';

/**
 * The part of the cache that belongs to one repository, laid out as Python's `huggingface_hub` does:
 * `models--<org>--<name>/blobs/<etag>`, `refs/<revision>` with a commit in it, and `snapshots/<commit>/<file>`, links to
 * blobs. Source: huggingface_hub's guide "Understand caching".
 */
export interface HubCache {
  /** `<cache>/models--<org>--<name>`. */
  readonly folder: string;
  snapshot(commit: string): string;
  /** Where a file of a commit is looked for. */
  pointer(commit: string, file: string): string;
  blob(etag: string): string;
  /** A lock file of ours. Python's own lie beside it; neither library sees the other's. */
  lock(etag: string): string;
  /** The commit that a revision was at when it was last fetched. */
  readRef(revision: string): Promise<string | undefined>;
  writeRef(revision: string, commit: string): Promise<void>;
}

/** The cache of one repository; nothing is created. */
export async function hubCache(cacheDirectory: string, id: string): Promise<HubCache> {
  const { fs, path } = hostModules();
  const hub = await hubLibrary();
  const name = hub.getRepoFolderName({ type: 'model', name: id });
  const folder = path.join(cacheDirectory, name);
  const ref = (revision: string): string => path.join(folder, 'refs', ...revision.split('/'));
  const readRef = async (revision: string): Promise<string | undefined> => {
    const text = await fs.readFile(ref(revision), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  };
  return {
    folder,
    snapshot: commit => path.join(folder, 'snapshots', commit),
    pointer: (commit, file) => path.join(folder, 'snapshots', commit, ...file.split('/')),
    blob: etag => path.join(folder, 'blobs', etag),
    lock: etag => path.join(cacheDirectory, '.locks', name, `${etag}.dropbp.lock`),
    readRef,
    async writeRef(revision, commit) {
      if (revision === commit || (await readRef(revision)) === commit) return;
      const target = ref(revision);
      try {
        await makeFolder('hub', path.dirname(target));
        await writeAtomically('hub', target, commit);
      } catch (error) {
        const cause = error instanceof Problem ? error.cause : error;
        // A cache that is shared read-only serves all the same.
        if (/^(EROFS|EACCES|EPERM)$/.test(errorCode(cause) ?? '')) return;
        throw diskProblem(cause, target);
      }
    },
  };
}

/** Whether there is such a file. A link to nothing is none. */
export async function fileExists(file: string): Promise<boolean> {
  return hostModules()
    .fs.stat(file)
    .then(
      () => true,
      () => false,
    );
}

/**
 * Puts a blob into a snapshot: as a relative link; where links are not allowed (Windows without developer mode) a new
 * blob itself, as Python's library does, and a copy of an old one, which another snapshot may need.
 *
 * @throws Problem if the cache cannot be written
 */
export async function placeBlob(blob: string, pointer: string, isNew: boolean): Promise<void> {
  const { fs, path } = hostModules();
  try {
    await makeFolder('hub', path.dirname(pointer));
    await fs.rm(pointer, { force: true }); // a link to a blob that somebody has removed
    const isLinked = await fs.symlink(path.relative(path.dirname(pointer), blob), pointer).then(
      () => true,
      (error: unknown) => errorCode(error) === 'EEXIST',
    );
    if (!isLinked && isNew) await fs.rename(blob, pointer);
    else if (!isLinked) {
      const copy = `${blob}.${crypto.randomUUID()}.incomplete`;
      await fs.copyFile(blob, copy);
      await fs.rename(copy, pointer);
    }
    await syncDirectory('hub', path.dirname(pointer));
  } catch (error) {
    throw diskProblem(error, pointer);
  }
}
