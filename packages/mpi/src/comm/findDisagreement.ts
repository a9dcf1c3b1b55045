import type { MpiLibrary } from '../library/mpiLibrary.ts';
import { callNumbers, describeCall, fromNumbers, toNumbers, type CollectiveCall } from './collectiveCall.ts';

/** Runs a call of MPI and ends the run where its code says that it failed. */
export type Expect = (name: string, code: Promise<number>) => Promise<void>;

/**
 * Waits until every rank is here, and compares what each is about to do: MPI itself would mix up the values of different
 * calls, or wait for ever.
 *
 * @returns who is about to do what, for a message, where it is not the same; the same text on every rank
 */
export async function findDisagreement(
  mpi: MpiLibrary,
  call: CollectiveCall,
  expect: Expect,
): Promise<string | undefined> {
  const own = toNumbers(call);
  // The largest of each number and of its negative: the same where the largest is the smallest too.
  const extremes = new Int32Array([...own, ...own.map(number => -number)]);
  await expect('MPI_Allreduce', mpi.allReduceMax(extremes));
  if (own.every((_, i) => extremes[i] === -extremes[i + callNumbers]!)) return undefined;
  const everyones = new Int32Array(mpi.size * callNumbers);
  await expect('MPI_Allgather', mpi.allGather(new Int32Array(own), everyones));
  return describeGroups(everyones);
}

/** `'rank 0: barrier; ranks 1, 2: close'`. */
function describeGroups(everyones: Int32Array): string {
  const calls = Array.from({ length: everyones.length / callNumbers }, (_, rank) =>
    fromNumbers(everyones.subarray(rank * callNumbers, (rank + 1) * callNumbers)),
  );
  const withBuckets = new Set(calls.map(({ bucketBytes }) => bucketBytes)).size > 1;
  const ranksOf = new Map<string, number[]>();
  calls.forEach((call, rank) => {
    const text = describeCall(call, withBuckets);
    ranksOf.set(text, [...(ranksOf.get(text) ?? []), rank]);
  });
  return [...ranksOf].map(([text, ranks]) => `${listRanks(ranks)}: ${text}`).join('; ');
}

function listRanks(ranks: readonly number[]): string {
  const shown = ranks.slice(0, 8).join(', ');
  return `rank${ranks.length > 1 ? 's' : ''} ${shown}${ranks.length > 8 ? ` and ${ranks.length - 8} more` : ''}`;
}
