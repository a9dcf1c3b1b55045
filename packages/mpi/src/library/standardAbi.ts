import type { MpiAbi } from './mpiAbi.ts';

/**
 * The ABI of the MPI 5 standard, the same for every implementation that has it (MPICH 5, Open MPI 6): a library of its own
 * name, whose handles are small numbers in the place of addresses. Source: chapter 21 of the standard.
 */
export const standardAbi: MpiAbi = {
  name: 'the MPI 5 ABI',
  files: {
    linux: ['libmpi_abi.so.1', 'libmpi_abi.so.0', 'libmpi_abi.so'],
    darwin: ['libmpi_abi.1.dylib', 'libmpi_abi.0.dylib', 'libmpi_abi.dylib'],
  },
  folders: { darwin: ['/opt/homebrew/lib', '/usr/local/lib'] },
  accepts: file => file.includes('mpi_abi'),
  handleType: 'void *',
  handles: () => ({
    world: 0x101n,
    float: 0x210n,
    byte: 0x247n,
    int: 0x209n,
    sum: 0x21n,
    max: 0x23n,
    errorsReturn: 0x143n,
    noInfo: 0x130n,
  }),
  inPlace: 1n,
  sharedMemory: 221,
  threadMultiple: 4096,
};
