import { describe, expect, it } from 'vitest';
import { findLibrary } from '../src/library/findLibrary.ts';
import type { Koffi } from '../src/library/loadKoffi.ts';

/** koffi on a machine that has these libraries: their versions by file name. */
function machine(libraries: Readonly<Record<string, string>>): Pick<Koffi, 'load'> {
  const load = (file: string): unknown => {
    const version = libraries[file];
    if (version === undefined) throw new Error('Failed to load shared library: cannot open shared object file');
    return {
      func: () => (text: Uint8Array, length: number[]) => {
        const bytes = new TextEncoder().encode(version);
        text.set(bytes);
        length[0] = bytes.length;
        return 0;
      },
    };
  };
  return { load: load as unknown as Koffi['load'] };
}

const openMpi5 = 'Open MPI v5.0.7, package: Debian OpenMPI, ident: 5.0.7';
const mpich4 = 'MPICH Version:      4.2.1\nMPICH Release date: Wed Apr 17';
const both = { 'libmpi.so.40': openMpi5, 'libmpi.so.12': mpich4 };
const find = (libraries: Readonly<Record<string, string>>, environment = {}, library?: string): string => {
  const { abi, file, version } = findLibrary(machine(libraries), { environment, library, platform: 'linux' });
  return `${abi.name}: ${version} in ${file}`;
};

describe('findLibrary', () => {
  it('takes the library of the launcher before another', () => {
    expect(find(both, { OMPI_COMM_WORLD_RANK: '0' })).toBe('Open MPI: Open MPI v5.0.7 in libmpi.so.40');
    expect(find(both, { PMIX_RANK: '0' })).toBe('Open MPI: Open MPI v5.0.7 in libmpi.so.40');
    expect(find(both, { PMI_RANK: '0' })).toBe('MPICH: MPICH 4.2.1 in libmpi.so.12');
  });

  it('looks where Fedora keeps it', () => {
    expect(find({ '/usr/lib64/openmpi/lib/libmpi.so.40': openMpi5 }, { PMIX_RANK: '0' })).toContain('/usr/lib64');
  });

  it('knows Intel MPI by MPICH’s layout, and the standard ABI by the name of its library', () => {
    expect(find({ 'libmpi.so.12': 'Intel(R) MPI Library 2021.14' }, { PMI_RANK: '0' })).toMatch(/^MPICH/);
    expect(find({ 'libmpi_abi.so.1': 'MPICH Version: 5.0.2' }, { PMI_RANK: '0' })).toMatch(/^the MPI 5 ABI/);
    expect(find({ '/x/libmpi_abi.so': 'Open MPI v6.0.0' }, {}, '/x/libmpi_abi.so')).toMatch(/^the MPI 5 ABI/);
  });

  it('says how to install it where there is none', () => {
    expect(() => find({})).toThrow(
      'no library of MPI was found; expected Open MPI 5 or later, MPICH, or a library of the MPI 5 ABI; install it with `apt-get install openmpi-bin`',
    );
    const mac = { environment: {}, platform: 'darwin' as const };
    expect(() => findLibrary(machine({}), mac)).toThrow('brew install open-mpi');
    const windows = { environment: {}, platform: 'win32' as const };
    expect(() => findLibrary(machine({}), windows)).toThrow('ranks on win32 are not supported');
  });

  it('says why a library is not used', () => {
    expect(() => find({ 'libmpi.so.40': 'Open MPI v4.1.4, package' }, { PMIX_RANK: '0' })).toThrow(
      'libmpi.so.40 is Open MPI v4.1.4: Open MPI 5 or later is needed',
    );
    expect(() => find({}, {}, '/opt/mpi.so')).toThrow('/opt/mpi.so: Failed to load shared library');
    expect(() => find({ '/opt/mpi.so': 'Other MPI 1' }, {}, '/opt/mpi.so')).toThrow(
      'is Other MPI 1, which is not known',
    );
  });
});
