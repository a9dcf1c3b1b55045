import * as tf from '@tensorflow/tfjs';
import type { Comm } from './comm.ts';

/** Values that go into one buffer: less would be many messages, more memory that is needed twice. */
const BUCKET_VALUES = 2 ** 23;

/** Gradients that travel together. */
interface Bucket {
  readonly buffer: Float32Array;
  readonly parts: readonly (readonly [name: string, shape: number[], start: number, end: number])[];
  readonly reduced: Promise<void>;
}

/**
 * Puts the sum over all ranks in the place of every gradient: in one buffer, or in several where they are large, of which one is
 * filled while the one before is on its way. What no rank has a gradient of is not in it.
 *
 * @param gradients - the same names in the same order on every rank
 * @param weight - what the gradients of this rank are multiplied with before; with 0 they are not even looked at
 * @returns the Euclidean norm of all sums together, which does not depend on the backend or its threads
 */
export async function reduceGradients(comm: Comm, gradients: Map<string, tf.Tensor>, weight: number): Promise<number> {
  let squares = 0;
  const settle = async (bucket: Bucket | undefined): Promise<void> => {
    if (bucket === undefined) return;
    const { buffer, parts, reduced } = bucket;
    await reduced;
    for (const [name, shape, start, end] of parts) gradients.set(name, tf.tensor(buffer.subarray(start, end), shape));
    for (const value of buffer) squares += value * value;
  };
  let before: Bucket | undefined;
  for (const names of bucketsOf(gradients)) {
    const filled = await fill(gradients, names, weight);
    await settle(before);
    const reduced = comm.allReduceSum(filled.buffer);
    reduced.catch(() => undefined); // it is waited for, and heard of, when the next bucket is filled
    before = { ...filled, reduced };
  }
  await settle(before);
  return Math.sqrt(squares);
}

/** Copies gradients into a buffer, and frees them. */
async function fill(
  gradients: ReadonlyMap<string, tf.Tensor>,
  names: readonly string[],
  weight: number,
): Promise<Omit<Bucket, 'reduced'>> {
  const tensors = names.map(name => gradients.get(name)!);
  const buffer = new Float32Array(tensors.reduce((sum, { size }) => sum + size, 0));
  const parts: [string, number[], number, number][] = [];
  const data = weight === 0 ? [] : await Promise.all(tensors.map(tensor => tensor.data()));
  let start = 0;
  tensors.forEach((tensor, at) => {
    const values = data[at];
    if (values !== undefined) for (let i = 0; i < values.length; i++) buffer[start + i] = values[i]! * weight;
    parts.push([names[at]!, tensor.shape, start, start + tensor.size]);
    start += tensor.size;
    tensor.dispose();
  });
  return { buffer, parts };
}

/** Names in their order, in groups that fit into a buffer. */
function bucketsOf(gradients: ReadonlyMap<string, tf.Tensor>): string[][] {
  const buckets: string[][] = [];
  let room = 0;
  for (const [name, { size }] of gradients) {
    if (size > room || buckets.length === 0) {
      buckets.push([]);
      room = BUCKET_VALUES;
    }
    buckets.at(-1)!.push(name);
    room -= size;
  }
  return buckets;
}
