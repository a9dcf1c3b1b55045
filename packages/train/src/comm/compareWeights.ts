import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Comm } from './comm.ts';
import { differingRanks, gathered, hashNumbers, nameRanks } from './gathered.ts';
import { hashValues } from './hash.ts';

/** @throws Problem, on every rank, where the weights of two ranks differ by a bit */
export async function compareWeights(
  comm: Comm,
  parameters: ReadonlyMap<string, tf.Variable>,
  step: number,
): Promise<void> {
  if (comm.size === 1) return;
  let hash = 0;
  for (const variable of parameters.values()) hash = hashValues((await variable.data()) as Float32Array, hash);
  const differing = differingRanks(await gathered(comm, hashNumbers(hash)));
  if (differing.length === 0) return;
  throw problem('train', {
    what: `the weights of ${nameRanks(differing)} are others than those of rank 0 after step ${step}`,
    fix: 'start every rank on the same versions of all packages, and look for faulty memory; the last checkpoint is of rank 0',
    isFailure: true,
  });
}
