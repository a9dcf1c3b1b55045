import type * as tf from '@tensorflow/tfjs';
import type { Runnable } from '@dropbp/core';

/** The parameters that exactly one branch reads and nothing else does, with their names. */
export function ownParameters(
  { branchScopes, outerScope }: Runnable,
  parameters: ReadonlyMap<string, tf.Variable>,
): ReadonlyMap<tf.Tensor, string> {
  const readers = new Map<tf.Tensor, number>();
  for (const tensor of [...branchScopes, outerScope].flatMap(scope => Object.values(scope))) {
    readers.set(tensor, (readers.get(tensor) ?? 0) + 1);
  }
  for (const tensor of Object.values(outerScope)) readers.delete(tensor);
  const own = [...parameters].filter(([, variable]) => readers.get(variable) === 1);
  return new Map(own.map(([name, variable]) => [variable, name]));
}
