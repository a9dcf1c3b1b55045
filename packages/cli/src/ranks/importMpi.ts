import { errorCode, problem } from '@dropbp/basics';

type Mpi = typeof import('@dropbp/mpi');

/** @param what - needs it, for the message. @throws Problem where `@dropbp/mpi` is not installed */
export async function importMpi(what: string): Promise<Mpi> {
  try {
    return await import('@dropbp/mpi');
  } catch (cause) {
    if (errorCode(cause) !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw problem('cli', {
      what: `${what} needs @dropbp/mpi, which is not installed`,
      fix: 'install it beside dropbp: npm install @dropbp/mpi',
      cause,
    });
  }
}

/** What launchers put into the environment of the processes that they start. */
const launcherVariable = /^(?:OMPI_COMM_WORLD|PMIX|PMI|PALS)_/;

/** Whether this process is a rank among several. Without a launcher's variables, nothing is loaded to find out. */
export async function isStartedByLauncher(): Promise<boolean> {
  const { OMPI_COMM_WORLD_SIZE, PMI_SIZE } = process.env;
  if ((OMPI_COMM_WORLD_SIZE ?? PMI_SIZE) === '1') return false;
  if (!Object.keys(process.env).some(name => launcherVariable.test(name))) return false;
  return (await importMpi('a run under an MPI launcher')).launchedByMpi();
}
