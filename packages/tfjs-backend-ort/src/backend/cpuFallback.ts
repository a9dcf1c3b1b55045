import * as tf from '@tensorflow/tfjs';
import type { TensorStore } from './tensorStore.ts';

type KernelResult = tf.TensorInfo | tf.TensorInfo[];
/** A kernel's inputs as tfjs passes them: by name or as a list; a few ragged kernels nest lists. */
export type KernelInputs = Readonly<Record<string, tf.TensorInfo | readonly tf.TensorInfo[] | null | undefined>>;

/** Runs tfjs's cpu kernel: elements go to the cpu backend and come back. */
export function runOnCpu(name: string, inputs: KernelInputs, attrs: object, store: TensorStore): KernelResult {
  const cpu = tf.engine().findBackend('cpu');
  const lent: tf.TensorInfo[] = [];
  const lend = (x: tf.TensorInfo): tf.TensorInfo => {
    const copy = { ...toCpu(x, store, cpu, name) };
    lent.push(copy);
    return copy;
  };
  const mapped: Record<string, tf.TensorInfo | tf.TensorInfo[]> = Array.isArray(inputs) ? ([] as never) : {};
  for (const [key, input] of Object.entries(inputs)) {
    if (input) mapped[key] = Array.isArray(input) ? (input as tf.TensorInfo[]).map(lend) : lend(input as tf.TensorInfo);
  }
  const kernel = tf.getKernel(name, 'cpu');
  try {
    const result = kernel.kernelFunc({
      inputs: mapped as tf.NamedTensorInfoMap,
      attrs: attrs as tf.NamedAttrMap,
      backend: cpu,
    });
    const take = ({ dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo => {
      const values = cpu.readSync(dataId);
      cpu.disposeData(dataId);
      return { dataId: store.write(values, shape, dtype), shape, dtype };
    };
    return Array.isArray(result) ? result.map(take) : take(result);
  } finally {
    for (const { dataId } of lent) cpu.disposeData(dataId);
  }
}

function toCpu(
  { dataId, shape, dtype }: tf.TensorInfo,
  store: TensorStore,
  cpu: tf.KernelBackend,
  name: string,
): tf.TensorInfo {
  const values = store.readSync(dataId, `the kernel ${name}, which runs on cpu,`);
  if (dtype !== 'complex64') return { dataId: cpu.write(values, shape, dtype), shape, dtype };
  // The cpu backend holds complex numbers as two tensors.
  const { real, imag } = tf.backend_util.splitRealAndImagArrays(values as Float32Array);
  const part = (part: Float32Array): tf.TensorInfo => ({
    dataId: cpu.write(part, shape, 'float32'),
    shape,
    dtype: 'float32',
  });
  return tf.getKernel('Complex', 'cpu').kernelFunc({
    inputs: { real: part(real), imag: part(imag) },
    attrs: {},
    backend: cpu,
  }) as tf.TensorInfo;
}
