export type { MpiComm, Traffic } from './comm/commOver.ts';
export { mpiComm, type MpiCommOptions } from './comm/mpiComm.ts';
export { cleanEnvironment } from './environment/cleanEnvironment.ts';
export { launchedByMpi, type Environment } from './environment/launchedByMpi.ts';
export { startRanks, type StartRanksOptions } from './launch/startRanks.ts';
export { exitCodes } from './exitCodes.ts';
