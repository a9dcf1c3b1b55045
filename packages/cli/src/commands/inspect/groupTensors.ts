import type { ListedTensor } from './tensorList.ts';

/** Tensors of equal name, but for the numbers of layers, and of equal shape and type. */
export interface TensorGroup {
  /** `'model.layers.*.mlp.up_proj.weight'`. */
  readonly pattern: string;
  readonly tensors: readonly ListedTensor[];
}

/** Groups tensors so that a model of any depth shows on one screen; in the order in which the groups first come. */
export function groupTensors(tensors: readonly ListedTensor[]): TensorGroup[] {
  const groups = new Map<string, { pattern: string; tensors: ListedTensor[] }>();
  for (const tensor of tensors) {
    const pattern = tensor.name.replaceAll(/(?<=\.)\d+(?=\.)/g, '*');
    const key = [pattern, tensor.dtype, ...tensor.shape].join(' ');
    const group = groups.get(key) ?? { pattern, tensors: [] };
    group.tensors.push(tensor);
    groups.set(key, group);
  }
  return [...groups.values()];
}
