import type { Shape } from '../graph/shape.ts';
import { type ConstantType, type HostArray, type TensorType, toHostArray } from '../onnx/elementType.ts';
import { kernel, type Kernels, type X } from './kernel.ts';

/** Kernels whose result is known without running anything. */
export const filling: Kernels = {
  Fill: kernel<object, { shape: number[]; value: number; dtype?: ConstantType }>(
    (graph, _, { shape, value, dtype = 'float32' }) => graph.fill(value, shape, dtype),
    (_, { dtype }) => (dtype as string) !== 'string' && (dtype as string) !== 'complex64',
  ),
  ZerosLike: kernel<X>((graph, { x }) => graph.fill(0, x.shape, x.dtype as ConstantType)),
  Range: kernel<object, { start: number; stop: number; step: number; dtype?: 'float32' | 'int32' }>(
    (graph, _, { start, stop, step, dtype = 'float32' }) =>
      graph.constant(...series(start, step, Math.max(0, Math.ceil((stop - start) / step)), dtype)),
  ),
  LinSpace: kernel<object, { start: number; stop: number; num: number }>((graph, _, { start, stop, num }) =>
    graph.constant(...series(start, (stop - start) / (num - 1), num, 'float32')),
  ),
  OnesLike: kernel<X>((graph, { x }) => graph.fill(1, x.shape, x.dtype as ConstantType)),
};

/** `length` numbers from `start` on, `step` apart. */
function series(start: number, step: number, length: number, dtype: TensorType): [HostArray, Shape, ConstantType] {
  const numbers = Array.from({ length }, (_, i) => (i === 0 ? start : start + i * step));
  return [toHostArray(numbers, dtype), [length], dtype];
}
