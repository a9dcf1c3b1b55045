import type { ElementArray, ElementType, HostArray } from '../../onnx/elementType.ts';
import { encodeModel, type OnnxModel } from '../../onnx/onnxModel.ts';
import type { QueuedRuntime, QueuedSession, QueuedTensor } from './queue.ts';

/** The part of ONNX Runtime's public interface that is used here: that of onnxruntime-node and onnxruntime-web alike. */
export interface PublicOrt {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<QueuedSession<PublicTensor>> };
  readonly Tensor: new (type: ElementType, data: ElementArray, dims: readonly number[]) => PublicTensor;
}

/** A tensor of the public interface. */
export interface PublicTensor extends QueuedTensor {
  readonly type: ElementType;
  readonly data: HostArray;
}

/**
 * ONNX Runtime through its public interface, on a CPU: tensors are arrays.
 *
 * @param options - how a model's session runs
 */
export function hostRuntime(ort: PublicOrt, options: (model: OnnxModel) => object): QueuedRuntime<PublicTensor> {
  return {
    holdsPacked: true,
    runsLoops: true,
    load: model => ort.InferenceSession.create(encodeModel(model), options(model)),
    place: (data, dims, dtype) => new ort.Tensor(dtype, data, dims),
    reshape: ({ type, data }, dims) => new ort.Tensor(type, data, dims),
    read: ({ data }) => data,
  };
}
