import { inspect } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { checkNumber, checkOptions, checkValue, problem } from '@dropbp/basics';
import { launchedByMpi } from '../environment/launchedByMpi.ts';
import { launchedSize } from '../environment/launchedSize.ts';
import { rankProcessVariable } from '../environment/launcherVariables.ts';
import { ownVariable } from '../environment/ownVariable.ts';
import { exitCodes } from '../exitCodes.ts';
import { cLibrary } from '../library/cLibrary.ts';
import { findLibrary } from '../library/findLibrary.ts';
import { loadKoffi } from '../library/loadKoffi.ts';
import type { MpiLibrary } from '../library/mpiLibrary.ts';
import { startMpi } from '../library/startMpi.ts';
import { tameUcx } from '../library/tameUcx.ts';
import { commOver, type MpiComm } from './commOver.ts';
import { ending, type Ending } from './ending.ts';
import { say } from './say.ts';

/** Options of {@link mpiComm}. */
export interface MpiCommOptions {
  /**
   * How long a rank waits in one call for the others before it ends all ranks. Longer than any of them does anything alone: a
   * checkpoint, the download of a model. @defaultValue `DROPBP_MPI_TIMEOUT`, or 600
   */
  readonly timeoutSeconds?: number;
  /**
   * Path of the library of MPI, or its name for the linker. @defaultValue `DROPBP_MPI_LIBRARY`, or what is found where
   * distributions keep it, that of the launcher's kind first
   */
  readonly library?: string;
  /** In parts of so many bytes a large buffer is sent, each of which MPI may copy. The same on all ranks. @defaultValue 32 MiB */
  readonly bucketBytes?: number;
}

/** `MPI_Finalize` may take that long: all ranks are there when it begins. */
const finalizeSeconds = 30;

let begun = false;

/**
 * The ranks that a launcher has started (`mpirun -n 4 node train.js`), over the library of MPI that is installed: Open MPI 5,
 * MPICH, or one with the MPI 5 ABI. MPI begins here and ends with `close()`, once in a process.
 *
 * Waits do not keep the event loop busy. Every call compares first what the ranks are about to do. Where a rank is gone, stuck
 * or out of step, where a call of MPI fails, and where a rank ends without `close()`, all ranks end, with a message on stderr
 * and one of the {@link exitCodes}. The promise of a call that cannot be done never resolves.
 *
 * @throws Problem where no launcher has started this process (`launchedByMpi()` tells), MPI is not installed or cannot be used,
 * or MPI has begun before
 *
 * @example
 * ```ts
 * const comm = launchedByMpi() ? await mpiComm() : soloComm();
 * const sums = new Float32Array([1, comm.rank]);
 * await comm.allReduceSum(sums);
 * await comm.close();
 * ```
 */
export async function mpiComm(options: MpiCommOptions = {}): Promise<MpiComm> {
  const { timeoutSeconds, library, bucketBytes } = readOptions(options);
  checkPlace();
  tameUcx();
  process.env[rankProcessVariable] = String(process.pid);
  const koffi = await loadKoffi();
  const c = cLibrary(koffi);
  const found = findLibrary(koffi, { library, environment: process.env, platform: process.platform });
  checkFirst(); // again: another call may have begun in the meantime
  begun = true;
  // This waits for the other ranks, on this thread: MPI wants to be ended on the thread that has begun it.
  c.alarm(timeoutSeconds);
  let mpi: MpiLibrary;
  try {
    mpi = startMpi(koffi, found);
  } finally {
    c.alarm(0);
  }
  checkSize(mpi.size, found.version);
  const end = ending(mpi, c);
  const release = endWithoutClose(mpi, end);
  const finalize = (): number => {
    c.alarm(finalizeSeconds);
    const code = mpi.finalize();
    c.alarm(0);
    return code;
  };
  return commOver(
    { ...mpi, finalize },
    { ...{ timeoutMs: timeoutSeconds * 1000, bucketBytes, ending: end }, onClosed: release },
  );
}

/** A rank that ends without `close()`, whichever way, ends all: some launchers take an exit code of 0 for good. @returns what undoes that */
function endWithoutClose({ rank, size }: MpiLibrary, end: Ending): () => void {
  let thrown: unknown;
  // Node writes what was thrown only after the handlers of `exit`, of which this one does not come back.
  const onThrown = (error: unknown): void => void (thrown = error);
  const onExit = (code: number): never => {
    const passed = code === 0 ? exitCodes.failed : code;
    if (thrown !== undefined) say(inspect(thrown));
    say(
      `rank ${rank} of ${size} ended without close(), with exit code ${code}. All ranks end with exit code ${passed}.`,
    );
    return end.now(passed);
  };
  process.on('uncaughtExceptionMonitor', onThrown).on('exit', onExit);
  return () => void process.off('uncaughtExceptionMonitor', onThrown).off('exit', onExit);
}

function readOptions(
  options: MpiCommOptions,
): Required<Omit<MpiCommOptions, 'library'>> & { library: string | undefined } {
  checkOptions('mpi', 'mpiComm()', options, ['timeoutSeconds', 'library', 'bucketBytes']);
  const timeoutSeconds = options.timeoutSeconds ?? Number(ownVariable('DROPBP_MPI_TIMEOUT') ?? 600);
  const { bucketBytes = 32 * 2 ** 20, library = ownVariable('DROPBP_MPI_LIBRARY') } = options;
  checkNumber('mpi', options.timeoutSeconds === undefined ? 'DROPBP_MPI_TIMEOUT' : 'timeoutSeconds', timeoutSeconds, {
    accepts: value => value >= 1 && value <= 2 ** 31,
    expected: 'seconds, at least 1',
  });
  checkNumber('mpi', 'bucketBytes', bucketBytes, {
    accepts: value => Number.isInteger(value / 4) && value >= 4 && value <= 2 ** 30,
    expected: 'a multiple of 4 from 4 to 2³⁰',
  });
  if (library !== undefined) {
    const isName = (value: unknown): boolean => typeof value === 'string' && value !== '';
    checkValue<unknown>('mpi', 'library', library, isName, 'the path of a library of MPI, or its name for the linker');
  }
  return { timeoutSeconds, library, bucketBytes };
}

function checkFirst(): void {
  if (!begun) return;
  throw problem('mpi', {
    what: 'MPI begins once in a process, and has begun',
    fix: 'pass the Comm that mpiComm() gave on',
  });
}

function checkPlace(): void {
  checkFirst();
  if (!isMainThread) {
    throw problem('mpi', {
      what: 'mpiComm() was called in a worker thread',
      fix: 'call it in the main thread of the rank',
    });
  }
  if (launchedByMpi()) return;
  const isChild = process.env[rankProcessVariable] !== undefined;
  throw problem('mpi', {
    what: isChild
      ? 'this process is the child of a rank, and no rank itself'
      : 'no launcher of MPI has started this process',
    fix: isChild
      ? 'pass env: cleanEnvironment() to whatever starts it'
      : 'start it as `mpirun -n 2 node …`, or use soloComm() for a run of one process',
  });
}

/** A library of another kind than the launcher's sees one rank. */
function checkSize(size: number, version: string): void {
  const expected = launchedSize(process.env);
  if (expected === undefined || expected === size) return;
  throw problem('mpi', {
    what: `the launcher has started ${expected} ranks, of which ${version} sees ${size}`,
    expected: 'a launcher and a library of the same kind',
    fix: 'start with the `mpirun` of that library (Debian: mpirun.openmpi, mpirun.mpich), or name the library of the launcher in DROPBP_MPI_LIBRARY',
  });
}
