// Adds up for as long as it is let, and says how far it has come.
import { mpiComm } from '@dropbp/mpi';

const comm = await mpiComm({ timeoutSeconds: Number(process.argv[2]) });
const values = new Float32Array(100_000);
for (let call = 1; ; call++) {
  values.fill(comm.rank);
  await comm.allReduceSum(values);
  if (comm.rank === 0 && call % 20 === 0) console.log(`call ${call}`);
}
