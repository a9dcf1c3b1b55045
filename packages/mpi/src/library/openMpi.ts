import type { MpiAbi } from './mpiAbi.ts';

/** Open MPI 5: handles are addresses of objects that the library exports. Source: its mpi.h. */
export const openMpi: MpiAbi = {
  name: 'Open MPI',
  files: { linux: ['libmpi.so.40', 'libmpi.so'], darwin: ['libmpi.40.dylib', 'libmpi.dylib'] },
  folders: {
    linux: ['/usr/lib64/openmpi/lib'],
    darwin: ['/opt/homebrew/lib', '/usr/local/lib', '/opt/homebrew/opt/open-mpi/lib'],
  },
  accepts: (file, version) => {
    if (file.includes('mpi_abi')) return false;
    const major = /^Open MPI v(\d+)/.exec(version)?.[1];
    if (major === undefined) return false;
    return Number(major) >= 5 ? true : { refused: 'Open MPI 5 or later is needed' };
  },
  handleType: 'void *',
  handles: symbol => ({
    world: symbol('ompi_mpi_comm_world'),
    float: symbol('ompi_mpi_float'),
    byte: symbol('ompi_mpi_byte'),
    int: symbol('ompi_mpi_int'),
    sum: symbol('ompi_mpi_op_sum'),
    max: symbol('ompi_mpi_op_max'),
    errorsReturn: symbol('ompi_mpi_errors_return'),
    noInfo: symbol('ompi_mpi_info_null'),
  }),
  inPlace: 1n,
  sharedMemory: 0,
  threadMultiple: 3,
};
