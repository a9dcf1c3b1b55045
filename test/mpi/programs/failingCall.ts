// Has the library of MPI itself refuse a call: our own check of the root is left out, below it.
import { commOver } from '../../../packages/mpi/src/comm/commOver.ts';
import { ending } from '../../../packages/mpi/src/comm/ending.ts';
import { cLibrary } from '../../../packages/mpi/src/library/cLibrary.ts';
import { findLibrary } from '../../../packages/mpi/src/library/findLibrary.ts';
import { loadKoffi } from '../../../packages/mpi/src/library/loadKoffi.ts';
import { startMpi } from '../../../packages/mpi/src/library/startMpi.ts';
import { tameUcx } from '../../../packages/mpi/src/library/tameUcx.ts';

tameUcx();
const koffi = await loadKoffi();
const { env: environment, platform } = process;
const mpi = startMpi(koffi, findLibrary(koffi, { library: environment.DROPBP_MPI_LIBRARY, environment, platform }));
const broadcast = (bytes: Uint8Array): Promise<number> => mpi.broadcast(bytes, 99);
const options = { timeoutMs: 10_000, bucketBytes: 1024, ending: ending(mpi, cLibrary(koffi)) };
const comm = commOver({ ...mpi, broadcast }, options);
await comm.broadcast(new Uint8Array(10), 0);
