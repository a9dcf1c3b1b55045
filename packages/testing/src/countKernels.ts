import * as tf from '@tensorflow/tfjs';

/** How often each kernel of the backend ran while `run` did. */
export async function countKernels(run: () => Promise<unknown>): Promise<Map<string, number>> {
  const { kernels } = await tf.profile(run as () => Promise<tf.TensorContainer>);
  const counts = new Map<string, number>();
  for (const { name } of kernels) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
