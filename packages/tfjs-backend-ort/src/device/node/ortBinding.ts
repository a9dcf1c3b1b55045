import { isMainThread } from 'node:worker_threads';
import { problem } from '@dropbp/basics';
import type { ElementArray, ElementType, HostArray, TensorType } from '../../onnx/elementType.ts';
import { encodeModel, type OnnxModel } from '../../onnx/onnxModel.ts';
import { ortPackage } from './ortPackage.ts';

/*
 * The one file that knows onnxruntime-node's inside: its native binding, whose `run` is synchronous in 1.30.0. The public API is
 * asynchronous and copies. Whether the binding still behaves so is checked once, before the first session.
 */

/** A tensor as the binding takes it. */
export interface BindingTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: ElementArray;
  readonly location: 'cpu';
}

/** A tensor on the GPU as the binding takes it. */
export interface GpuTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly location: 'gpu-buffer';
  /** The binding's own. Any dims may be given with it that have as many elements. */
  readonly gpuBuffer: object;
}

/** A tensor on the GPU that a run has made. */
export interface MadeGpuTensor extends GpuTensor {
  /** Gives the memory back; the object is of no use afterwards. */
  dispose(): void;
}

/** A session of the native library. */
export interface NativeSession {
  loadModel(buffer: ArrayBuffer, byteOffset: number, byteLength: number, options: object): void;
  run(
    feeds: Record<string, BindingTensor | GpuTensor>,
    fetches: Record<string, BindingTensor | null>,
    options: object,
  ): Record<string, { data: HostArray }>;
  dispose(): void;
}

/** What makes tensors of the outputs of a run. */
export interface TensorMaker {
  (...args: unknown[]): object;
  fromGpuBuffer(gpuBuffer: object, made: { dataType: TensorType; dims: number[]; dispose: () => void }): MadeGpuTensor;
}

/** The native library's module. */
export interface NativeBinding {
  InferenceSession: new () => NativeSession;
  initOrtOnce(logLevel: number, tensorConstructor: TensorMaker, isMainThread: boolean): void;
}

/** A session of the binding that writes its outputs into the given arrays. */
export interface BindingSession {
  run(feeds: Record<string, BindingTensor>, outputs: Record<string, BindingTensor>): void;
  dispose(): void;
}

/** A session of the binding that returns its outputs, where its options say that they lie. */
export interface ReturningSession {
  run(
    feeds: Record<string, BindingTensor | GpuTensor>,
    outputs: readonly string[],
  ): Record<string, BindingTensor | MadeGpuTensor>;
  dispose(): void;
}

/** How outputs come back: `'direct'`: written in place and nothing else; `'doubled'`: in place and also copied for nobody; `'copied'`: copied by us. */
export type OutputPath = 'direct' | 'doubled' | 'copied';

export interface OrtBinding {
  readonly outputs: OutputPath;
  load(model: OnnxModel, options: object): BindingSession;
  loadReturning(model: OnnxModel, options: object): ReturningSession;
}

const warnings = 3;
const marker = 'endOfRun';

// After a run the binding turns every output into a new tensor of copied elements, in the order of the model's outputs, though all
// have already been written where we asked. The first output of our models is empty; making its tensor throws this, and the
// copies are never made.
const endOfRun = new Error('end of run');
let isStopping = false;

let binding: OrtBinding | undefined;

/** Loads the native library on the first call. @throws Problem when its `run` is not synchronous */
export function ortBinding(): OrtBinding {
  binding ??= checkedBinding(loadNative());
  return binding;
}

function loadNative(): NativeBinding {
  const require = ortPackage();
  try {
    const { binding: native } = require('./binding.js') as { binding: NativeBinding };
    const { Tensor } = require('onnxruntime-common') as { Tensor: new (...args: unknown[]) => object };
    const makeTensor = function (...args: unknown[]): object {
      if (isStopping) throw endOfRun;
      return new Tensor(...args);
    };
    makeTensor.fromGpuBuffer = fromGpuBuffer;
    native.initOrtOnce(warnings, makeTensor, isMainThread);
    return native;
  } catch (cause) {
    throw problem('tfjs-backend-ort', {
      what: 'ONNX Runtime could not be loaded',
      fix: 'install again; on Linux it needs glibc 2.28 or later',
      cause,
    });
  }
}

const fromGpuBuffer: TensorMaker['fromGpuBuffer'] = (gpuBuffer, { dataType, dims, dispose }) => ({
  type: dataType,
  dims,
  location: 'gpu-buffer',
  gpuBuffer,
  dispose,
});

/** @internal Exported for the test that plays a binding of another version. */
export function checkedBinding(native: NativeBinding): OrtBinding {
  const outputs = outputPath(native);
  return {
    outputs,
    load: (model, options) => loadSession(native, model, options, outputs),
    loadReturning(model, options) {
      const session = loadNativeSession(native, model, options);
      return {
        run: (feeds, outputs) =>
          session.run(feeds, Object.fromEntries(outputs.map(name => [name, null])), {}) as Record<
            string,
            BindingTensor | MadeGpuTensor
          >,
        dispose: () => session.dispose(),
      };
    },
  };
}

/** Runs a session that doubles a number, and looks at where the result is. */
function outputPath(native: NativeBinding): OutputPath {
  const value = { shape: [1], dtype: 'float32' } as const;
  const model: OnnxModel = {
    name: 'check',
    nodes: [{ op: 'Add', inputs: ['x', 'x'], outputs: ['y'], attributes: {}, domain: '' }],
    inputs: [{ name: 'x', ...value }],
    outputs: [{ name: 'y', ...value }],
    constants: [],
    values: new Map(),
  };
  const session = loadNativeSession(native, withMarker(model), {});
  const tensor = (data: number): BindingTensor => ({
    type: 'float32',
    dims: [1],
    data: Float32Array.of(data),
    location: 'cpu',
  });
  const x = tensor(21);
  const y = tensor(0);
  const returned = session.run({ x }, { [marker]: null, y }, {}) as
    Record<string, { data: HostArray }> | Promise<unknown>;
  if (returned instanceof Promise) {
    returned.catch(() => undefined);
    throw problem('tfjs-backend-ort', {
      what: 'this onnxruntime-node runs sessions asynchronously',
      expected: 'version 1.30.0, whose native run is synchronous',
      fix: 'install onnxruntime-node 1.30.0, or set DROPBP_ORT_DEVICE=queue, which waits for it',
    });
  }
  if (y.data[0] !== 42) {
    session.dispose();
    return 'copied';
  }
  const stopped = runUntilMarker(() => session.run({ x }, { [marker]: null, y }, {}));
  session.dispose();
  return stopped ? 'direct' : 'doubled';
}

function loadSession(native: NativeBinding, model: OnnxModel, options: object, path: OutputPath): BindingSession {
  const session = loadNativeSession(native, path === 'direct' ? withMarker(model) : model, options);
  const run: BindingSession['run'] =
    path === 'direct'
      ? (feeds, outputs) => void runUntilMarker(() => session.run(feeds, { [marker]: null, ...outputs }, {}))
      : path === 'doubled'
        ? (feeds, outputs) => void session.run(feeds, outputs, {})
        : (feeds, outputs) => {
            const returned = session.run(feeds, outputs, {});
            for (const [name, output] of Object.entries(outputs)) output.data.set(returned[name]!.data);
          };
  return { run, dispose: () => session.dispose() };
}

/** Whether the run ended at the marker, with all outputs written. */
function runUntilMarker(run: () => unknown): boolean {
  isStopping = true;
  try {
    run();
    return false;
  } catch (error) {
    if (error !== endOfRun) throw error;
    return true;
  } finally {
    isStopping = false;
  }
}

function loadNativeSession(native: NativeBinding, model: OnnxModel, options: object): NativeSession {
  const bytes = encodeModel(model);
  const session = new native.InferenceSession();
  session.loadModel(bytes.buffer, bytes.byteOffset, bytes.byteLength, options);
  return session;
}

/** The model with an empty first output. */
function withMarker(model: OnnxModel): OnnxModel {
  const empty = { shape: [0], dtype: 'float32' } as const;
  return {
    ...model,
    nodes: [
      ...model.nodes,
      { op: 'Identity', inputs: [`${marker}Source`], outputs: [marker], attributes: {}, domain: '' },
    ],
    outputs: [{ name: marker, ...empty }, ...model.outputs],
    constants: [...model.constants, { name: `${marker}Source`, ...empty, data: new Uint8Array(0) }],
  };
}
