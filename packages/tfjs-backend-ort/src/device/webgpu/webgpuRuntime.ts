import { bytesPerElement, type ElementType, type HostArray } from '../../onnx/elementType.ts';
import { encodeModel, type OnnxModel } from '../../onnx/onnxModel.ts';
import type { PublicOrt, PublicTensor } from '../node/hostRuntime.ts';
import type { QueuedRuntime, QueuedSession } from '../node/queue.ts';
import { nodesForCpu, webgpuModel } from './webgpuModel.ts';

/** The part of onnxruntime-web's interface that is used here. */
export interface WebgpuOrt extends Omit<PublicOrt, 'InferenceSession' | 'Tensor'> {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<QueuedSession<WebgpuTensor>> };
  readonly Tensor: PublicOrt['Tensor'] & {
    fromGpuBuffer(
      buffer: GPUBuffer,
      options: { dataType: ElementType; dims: readonly number[]; dispose?: () => void },
    ): WebgpuTensor;
  };
  readonly env: { readonly webgpu: { readonly device: GPUDevice | Promise<GPUDevice> } };
}

/** A tensor whose elements lie on the GPU; those without elements lie nowhere. */
export interface WebgpuTensor extends Omit<PublicTensor, 'data'> {
  readonly location: string;
  readonly data: HostArray;
  readonly gpuBuffer: GPUBuffer;
  getData(): Promise<HostArray>;
  dispose(): void | Promise<void>;
}

/** onnxruntime-web copies whole words of this many bytes. */
const wordBytes = 16;

/**
 * onnxruntime-web on WebGPU. Tensors stay on the GPU; arrays go there when they are first fed.
 *
 * @param device - the GPU that `ort` uses
 * @param options - how a model's session runs
 */
export function webgpuRuntime(
  ort: WebgpuOrt,
  device: GPUDevice,
  options: (model: OnnxModel) => object,
): QueuedRuntime<WebgpuTensor> {
  return {
    holdsPacked: false,
    runsLoops: false,
    async load(given) {
      const model = webgpuModel(given);
      const forceCpuNodeNames = nodesForCpu(model);
      const native = await ort.InferenceSession.create(encodeModel(model), {
        ...options(model),
        executionProviders: [{ name: 'webgpu', ...(forceCpuNodeNames.length > 0 && { forceCpuNodeNames }) }],
        preferredOutputLocation: Object.fromEntries(model.outputs.map(({ name }) => [name, 'gpu-buffer'])),
      });
      return outlivingOutputs(native);
    },
    place(data, dims, dataType) {
      const size = Math.max(1, Math.ceil((data.length * bytesPerElement[dataType]) / wordBytes)) * wordBytes;
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const buffer = device.createBuffer({ size, usage, mappedAtCreation: true });
      new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      buffer.unmap();
      return ort.Tensor.fromGpuBuffer(buffer, { dataType, dims, dispose: () => buffer.destroy() });
    },
    reshape: ({ type, gpuBuffer }, dims) => ort.Tensor.fromGpuBuffer(gpuBuffer, { dataType: type, dims }),
    read: tensor => (tensor.location === 'cpu' ? tensor.data : tensor.getData()),
  };
}

/** The outputs of a session lie in memory that is the session's: it goes only after they have. */
function outlivingOutputs(native: QueuedSession<WebgpuTensor>): QueuedSession<WebgpuTensor> {
  let outputs = 0;
  let isReleased = false;
  const releaseUnused = async (): Promise<void> => {
    if (isReleased && outputs === 0) await native.release();
  };
  return {
    async run(feeds, names) {
      const made = await native.run(feeds, names);
      for (const tensor of Object.values(made)) {
        const dispose = tensor.dispose.bind(tensor);
        outputs++;
        tensor.dispose = async () => {
          await dispose();
          outputs--;
          await releaseUnused();
        };
      }
      return made;
    },
    release() {
      isReleased = true;
      return releaseUnused();
    },
  };
}
