import * as tf from '@tensorflow/tfjs';
import { equalShapeGroups } from '../optimizers/equalShapeGroups.ts';
import { runOnEach, type ElementwiseFunction } from '../optimizers/runOnEach.ts';

// Arithmetic on all tensors of a map, a few runs for all of them. What is replaced is freed group by group, so that there
// are never two of everything.

/** Multiplies every tensor by a number, or a scalar that stays the caller's. */
export function scaleAll(tensors: Map<string, tf.Tensor>, factor: number | tf.Tensor): void {
  const scalar = typeof factor === 'number' ? tf.scalar(factor) : factor;
  for (const group of equalShapeGroups(tensors, ([, { shape }]) => shape)) {
    const items = group.map(([, tensor]) => ({ tensor }));
    runOnEach(scale, items, { factor: scalar }).forEach(([scaled], i) => tensors.set(group[i]![0], scaled!));
    for (const { tensor } of items) tensor.dispose();
  }
  if (scalar !== factor) scalar.dispose();
}

/** Adds each term to the sum of its name, or makes it one. Takes over the terms. */
export function addAll(sums: Map<string, tf.Tensor>, terms: ReadonlyMap<string, tf.Tensor>): void {
  const known = [...terms].filter(([name]) => sums.has(name));
  for (const group of equalShapeGroups(known, ([, { shape }]) => shape)) {
    const items = group.map(([name, term]) => ({ sum: sums.get(name)!, term }));
    runOnEach(add, items).forEach(([sum], i) => sums.set(group[i]![0], sum!));
    for (const { sum, term } of items) tf.dispose([sum, term]);
  }
  for (const [name, term] of terms) if (!sums.has(name)) sums.set(name, term);
}

const scale: ElementwiseFunction = {
  fn: ({ tensor, factor }) => [tf.mul(tensor!, factor!)],
  replaces: ['tensor'],
};
const add: ElementwiseFunction = {
  fn: ({ sum, term }) => [tf.add(sum!, term!)],
  replaces: ['sum'],
};
