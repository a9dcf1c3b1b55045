import type { Model } from '@dropbp/core';

/** How many numbers the weights of a model have. */
export function countParameters({ parameters }: Pick<Model, 'parameters'>): number {
  return [...parameters.values()].reduce((sum, { size }) => sum + size, 0);
}
