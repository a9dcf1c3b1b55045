import { basename, join } from 'node:path';
import { problem } from '@dropbp/basics';
import type { LibraryHandle } from 'koffi';
import type { Environment } from '../environment/launchedByMpi.ts';
import { howToInstall } from './howToInstall.ts';
import type { Koffi } from './loadKoffi.ts';
import type { MpiAbi } from './mpiAbi.ts';
import { mpich } from './mpich.ts';
import { openMpi } from './openMpi.ts';
import { standardAbi } from './standardAbi.ts';

/** A library of MPI that is loaded, and how it is laid out. */
export interface FoundLibrary {
  readonly abi: MpiAbi;
  readonly library: LibraryHandle;
  /** As it was loaded: a path, or a name that the linker finds. */
  readonly file: string;
  /** The first line of `MPI_Get_library_version`. */
  readonly version: string;
}

/** What {@link findLibrary} looks at. */
export interface LibrarySearch {
  /** A path or name; else the usual ones are tried. */
  readonly library?: string | undefined;
  readonly environment: Environment;
  readonly platform: NodeJS.Platform;
}

/**
 * Loads the library of MPI: the one that is named, or that of the launcher's own kind before the others.
 *
 * @throws Problem where there is none that can be used, with how to install one
 */
export function findLibrary(koffi: Pick<Koffi, 'load'>, search: LibrarySearch): FoundLibrary {
  const { library, environment, platform } = search;
  const all = [openMpi, mpich, standardAbi];
  const reasons: string[] = [];
  const candidates =
    library === undefined
      ? inOrder(environment).flatMap(abi => filesOf(abi, platform).map(file => ({ file, abis: [abi] })))
      : [{ file: library, abis: all }];
  for (const { file, abis } of candidates) {
    const opened = open(koffi, file);
    if (typeof opened === 'string') {
      if (library !== undefined) reasons.push(`${file}: ${opened}`);
      continue;
    }
    for (const abi of abis) {
      const accepted = abi.accepts(basename(file), opened.version);
      if (accepted === true) return { abi, ...opened, file };
      if (accepted !== false) reasons.push(`${file} is ${opened.version}: ${accepted.refused}`);
    }
    if (library !== undefined && reasons.length === 0) reasons.push(`${file} is ${opened.version}, which is not known`);
  }
  throw problem('mpi', {
    what: library === undefined ? 'no library of MPI was found' : 'the library of MPI cannot be used',
    ...(reasons.length > 0 && { got: reasons.join('; ') }),
    expected: 'Open MPI 5 or later, MPICH, or a library of the MPI 5 ABI',
    fix: `${howToInstall(platform)}, or name a library in DROPBP_MPI_LIBRARY`,
  });
}

function open(koffi: Pick<Koffi, 'load'>, file: string): { library: LibraryHandle; version: string } | string {
  try {
    // Open MPI loads parts of itself that look for the symbols of the rest.
    const library = koffi.load(file, { global: true });
    const getVersion = library.func('int MPI_Get_library_version(void *text, _Out_ int *length)') as unknown as (
      text: Uint8Array,
      length: number[],
    ) => number;
    const text = new Uint8Array(8192);
    const length = [0];
    getVersion(text, length);
    const [version = ''] = new TextDecoder().decode(text.subarray(0, length[0])).split('\n');
    return { library, version: version.replace(/,.*/, '').replace('Version:', '').replace(/\s+/g, ' ').trim() };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The launcher's own kind first: another would take each rank for a run of its own. */
function inOrder(environment: Environment): readonly MpiAbi[] {
  const names = Object.keys(environment);
  const isPmix = names.some(name => name.startsWith('OMPI_') || name.startsWith('PMIX_'));
  return isPmix ? [openMpi, standardAbi, mpich] : [mpich, standardAbi, openMpi];
}

function filesOf({ files, folders }: MpiAbi, platform: NodeJS.Platform): string[] {
  const names = files[platform] ?? [];
  return [...names, ...(folders[platform] ?? []).flatMap(folder => names.map(name => join(folder, name)))];
}
