import * as tf from '@tensorflow/tfjs';
import type { NamedArray } from '@dropbp/core';
import type { Trained } from '../checkpoints/checkpointKeeper.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import type { Comm } from './comm.ts';
import { fromRoot } from './fromRoot.ts';

/**
 * Gives every rank what rank 0 begins with, or goes on with: trained parameters, the optimizer's state and that of DropBP. Only
 * rank 0 needs to be able to read checkpoints.
 */
export async function shareStart(comm: Comm, { parameters, drops }: Trained, optimizer: Optimizer): Promise<void> {
  if (comm.size === 1) return;
  const isRoot = comm.rank === 0;
  const state = isRoot ? await optimizer.state() : undefined;
  const { values, shapes, dropBP } = await fromRoot(comm, () => ({
    values: state!.values,
    shapes: [...state!.tensors].map(([name, { shape }]): [string, readonly number[]] => [name, shape]),
    dropBP: drops.state,
  }));
  for (const variable of parameters.values()) {
    const data = isRoot ? Float32Array.from(await variable.data()) : new Float32Array(variable.size);
    await comm.broadcast(data, 0);
    if (!isRoot) tf.tidy(() => variable.assign(tf.tensor(data, variable.shape)));
  }
  const tensors = new Map<string, NamedArray>();
  for (const [name, shape] of shapes) {
    const data = state?.tensors.get(name)?.data ?? new Float32Array(shape.reduce((size, of) => size * of, 1));
    await comm.broadcast(data, 0);
    tensors.set(name, { shape, data });
  }
  if (isRoot) return;
  optimizer.restore({ values, tensors });
  drops.restore(dropBP);
}
