import { hostname } from 'node:os';
import { checkNumber, problem } from '@dropbp/basics';
import type { Comm } from '@dropbp/train';
import { exitCodes } from '../exitCodes.ts';
import type { MpiLibrary } from '../library/mpiLibrary.ts';
import { bucketsOf } from './bucketsOf.ts';
import { describeCall, type CollectiveCall } from './collectiveCall.ts';
import type { Ending } from './ending.ts';
import { findDisagreement, type Expect } from './findDisagreement.ts';
import { oneAtATime } from './oneAtATime.ts';
import { say } from './say.ts';
import { watchdog } from './watchdog.ts';

/** What went over a `Comm` so far, seen from this rank. */
export interface Traffic {
  /** Calls that are done, `close` not counted. */
  readonly calls: number;
  /** Bytes of the buffers that were given to `allReduceSum`. How many of them a rank sends follows from how MPI adds them up: in a ring, 2 · (size − 1) ÷ size of them. */
  readonly reducedBytes: number;
  /** Bytes of the buffers that were given to `broadcast`. */
  readonly broadcastBytes: number;
  /** From the beginning of each call to its end: waiting for slower ranks counts, waiting for an earlier call does not. */
  readonly milliseconds: number;
}

/** A {@link Comm} on MPI. */
export interface MpiComm extends Comm {
  /** As MPI names itself: `'Open MPI v5.0.7'`. */
  readonly version: string;
  /** What went over it so far. */
  traffic(): Traffic;
}

/** What {@link commOver} takes. */
export interface CommOverOptions {
  readonly timeoutMs: number;
  readonly bucketBytes: number;
  readonly ending: Ending;
  /** @defaultValue writes to stderr, at once */
  readonly write?: (text: string) => void;
  /** Is called when MPI has come to its end. */
  readonly onClosed?: () => void;
}

/** How long the ranks that only agree with the one that speaks leave it to speak, before they end as well. */
const deferMs = 1000;

/** The {@link Comm} over MPI that has begun. Failures end every rank: there is no going on with some of them. */
export function commOver(mpi: MpiLibrary, options: CommOverOptions): MpiComm {
  const { timeoutMs, bucketBytes, ending, write = say, onClosed } = options;
  const { rank, size, localSize, version } = mpi;
  const who = `rank ${rank} of ${size} (${hostname()})`;
  const traffic = { calls: 0, reducedBytes: 0, broadcastBytes: 0, milliseconds: 0 };
  const inTurn = oneAtATime();
  let closing: Promise<void> | undefined;
  let over: Promise<never> | undefined;

  /** Writes why, and ends every rank. The first reason stays the only one. */
  const end = (code: number, message: string): Promise<never> => {
    if (over === undefined) {
      write(message);
      over = ending.soon(code);
    }
    return over;
  };
  const dog = watchdog(timeoutMs, (what, sinceMs) => {
    const since = new Date(sinceMs).toISOString();
    void end(
      exitCodes.stalled,
      `${who} has waited for ${timeoutMs / 1000} s, since ${since}, in ${what}: another rank is gone, stuck or out of reach, or never came to this call. ` +
        `All ranks end with exit code ${exitCodes.stalled}; the last checkpoint resumes.`,
    );
  });

  const call = async (asked: CollectiveCall, work: (expect: Expect) => Promise<void>): Promise<void> => {
    if (closing !== undefined && asked.name !== 'close') {
      throw problem('mpi', { what: `${asked.name} was called after close`, fix: 'close when all is done' });
    }
    await inTurn(async () => {
      if (over) return over;
      const number = traffic.calls + 1;
      const startedMs = performance.now();
      const expect: Expect = async (name, code) => {
        const done = await dog.watch(() => `${describeCall(asked)} (call ${number})`, code);
        if (over) return over;
        if (done !== 0) {
          return end(
            exitCodes.failed,
            `${name} failed on ${who}, in ${describeCall(asked)} (call ${number}), ${version}: ${mpi.errorText(done)}. All ranks end with exit code ${exitCodes.failed}.`,
          );
        }
      };
      const disagreement = await findDisagreement(mpi, asked, expect);
      if (disagreement !== undefined) {
        if (rank > 0) await new Promise(resolve => setTimeout(resolve, deferMs));
        return end(
          exitCodes.disagreed,
          `the ranks do not make the same call, as their call ${number}: ${disagreement}. All ranks end with exit code ${exitCodes.disagreed}.`,
        );
      }
      await work(expect);
      if (asked.name === 'close') return;
      traffic.calls = number;
      traffic.milliseconds += performance.now() - startedMs;
    });
  };
  const asked = (name: CollectiveCall['name'], length = 0, root = 0): CollectiveCall => ({
    ...{ name, length, root, bucketBytes },
  });

  return {
    ...{ rank, size, localSize, version },
    traffic: () => ({ ...traffic }),
    async allReduceSum(values) {
      if (!(values instanceof Float32Array)) {
        throw problem('mpi', {
          what: 'allReduceSum adds up float32 values',
          got: typeof values,
          expected: 'a Float32Array',
        });
      }
      await call(asked('allReduceSum', values.length), async expect => {
        for (const [start, stop] of bucketsOf(values.length, bucketBytes / values.BYTES_PER_ELEMENT))
          await expect('MPI_Allreduce', mpi.allReduceSum(values.subarray(start, stop)));
        traffic.reducedBytes += values.byteLength;
      });
    },
    async broadcast(given, root) {
      if (!(given instanceof Uint8Array) && !(given instanceof Float32Array)) {
        throw problem('mpi', {
          what: 'broadcast takes bytes or values',
          got: typeof given,
          expected: 'a Uint8Array or Float32Array',
        });
      }
      checkNumber('mpi', 'root', root, {
        accepts: value => Number.isInteger(value) && value >= 0 && value < size,
        expected: `a rank from 0 to ${size - 1}`,
      });
      const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
      await call(asked('broadcast', bytes.length, root), async expect => {
        for (const [start, stop] of bucketsOf(bytes.length, bucketBytes))
          await expect('MPI_Bcast', mpi.broadcast(bytes.subarray(start, stop), root));
        traffic.broadcastBytes += bytes.length;
      });
    },
    // Whoever has compared calls has met all ranks.
    barrier: () => call(asked('barrier'), () => Promise.resolve()),
    abort: (code, message) => end(code, `${who} ends all ranks with exit code ${code}: ${message}`),
    close: () =>
      (closing ??= call(asked('close'), expect => expect('MPI_Finalize', Promise.resolve(mpi.finalize()))).then(() =>
        onClosed?.(),
      )),
  };
}
