import type { MpiAbi } from './mpiAbi.ts';

/** MPICH and what shares its ABI (Intel MPI, MVAPICH): handles are 32-bit numbers. Source: MPICH's mpi.h. */
export const mpich: MpiAbi = {
  name: 'MPICH',
  files: { linux: ['libmpi.so.12', 'libmpich.so.12'], darwin: ['libmpi.12.dylib', 'libmpich.12.dylib'] },
  folders: {
    linux: ['/usr/lib64/mpich/lib'],
    darwin: ['/opt/homebrew/lib', '/usr/local/lib', '/opt/homebrew/opt/mpich/lib'],
  },
  accepts: (file, version) => !file.includes('mpi_abi') && /MPICH|Intel\(R\) MPI|MVAPICH/.test(version),
  handleType: 'int',
  handles: () => ({
    world: 0x44000000,
    float: 0x4c00040a,
    byte: 0x4c00010d,
    int: 0x4c000405,
    sum: 0x58000003,
    max: 0x58000001,
    errorsReturn: 0x54000001,
    noInfo: 0x1c000000,
  }),
  inPlace: 2n ** 64n - 1n,
  sharedMemory: 1,
  threadMultiple: 3,
};
