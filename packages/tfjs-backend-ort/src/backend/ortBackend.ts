import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type {
  Engine,
  GroupedProducts,
  PackedForm,
  Results,
  TracedFunction,
  WeightPacker,
  WorkingMemory,
} from '@dropbp/engine';
import type { Device, DeviceMemory } from '../device/device.ts';
import { type CompiledFunction, type CompileOptions, compileOn } from '../compile/compile.ts';
import type { Recording, RecordingBackend } from '../compile/recording.ts';
import type { Inputs } from '../kernels/kernel.ts';
import { kernelTable } from '../kernels/kernelTable.ts';
import { groupedMatMulKernel, groupedOuterKernel } from '../kernels/grouped.ts';
import { afterKernel } from '../kernels/ordering.ts';
import { isTensorType } from '../onnx/elementType.ts';
import { packWeight } from '../packed/packWeight.ts';
import { unpackKernel } from '../packed/unpack.ts';
import { type KernelInputs, runOnCpu } from './cpuFallback.ts';
import { EagerRunner } from './eagerRunner.ts';
import { TensorStore } from './tensorStore.ts';

/** Kernels that only hand elements on, whatever their type. */
const typeless = new Set(['Identity', 'Reshape', 'ExpandDims']);

/** Node with tfjs and ONNX Runtime, before a model is there. */
const PROGRAM_BYTES = 200 * 2 ** 20;
/**
 * What the sessions of a step work in, from what the largest branch holds. Each of the eight or so of a step keeps an arena, of a power of
 * two, unless it is large (sessionOptions.ts): together they took 16 times the largest branch, and at most this many bytes. Without
 * arenas it is 5 times. bench/plan.bench.ts and test/reliability/plannedMemory.ts compare.
 */
const [COPIES_IN_ARENAS, MOST_IN_ARENAS, COPIES_WITHOUT] = [16, 512 * 2 ** 20, 5];

/** What the backend holds and has done. */
export interface OrtMemory extends DeviceMemory {
  /** Whether the counts are estimates; always false. */
  readonly unreliable: boolean;
}

/** The tfjs backend 'ort': tensors live on a device of ONNX Runtime, kernels are its sessions. */
export class OrtBackend extends tf.KernelBackend implements Engine, RecordingBackend {
  /** Where ONNX Runtime runs. */
  readonly device: Device;
  /** @internal */
  readonly store: TensorStore;
  /** @internal The graph that kernels are appended to, while a function is traced. */
  recording: Recording | undefined;
  readonly #eager: EagerRunner;
  readonly #fallbacks = new Map<string, number>();

  /** @param maxSessions - how many sessions of one operation are kept */
  constructor(device: Device, maxSessions: number) {
    super();
    this.device = device;
    this.store = new TensorStore(device, {
      move: dataId => {
        const engine = tf.engine();
        if (engine.state.tensorInfo.has(dataId)) engine.moveData(this, dataId);
      },
      unpack: x => this.#eager.run('Unpack', unpackKernel, { x }, {}) as tf.TensorInfo,
    });
    this.#eager = new EagerRunner(this.store, maxSessions);
  }

  /** How often each kernel has run on tfjs's cpu backend, because ONNX Runtime has none for it, by kernel name. */
  fallbacks(): ReadonlyMap<string, number> {
    return this.#fallbacks;
  }

  /** Gives the memory that no tensor uses back, and the sessions of single operations. */
  trim(): void {
    this.#eager.clear();
    this.device.trim();
  }

  /**
   * Makes a function over named tensors that runs as sessions of ONNX Runtime and is differentiable.
   *
   * @throws Problem for options that it does not know
   */
  compile<R extends Results>(fn: TracedFunction<R>, options?: CompileOptions): CompiledFunction<R> {
    return compileOn(() => this, fn, options);
  }

  /**
   * A frozen weight that is kept in fewer bits: for tfjs a float32 tensor like any other, which takes no gradient. Products with
   * an int8 weight are computed in int8; whatever else reads a packed weight unpacks it for itself.
   *
   * @param values - `[rows, columns]`, the backend's from now on
   * @param inputAxis - the axis of the input features: 1 for weights `[out, in]`
   * @param isTable - whether rows are looked up in it too, as in an embedding. @defaultValue false
   * @returns a tensor that the caller owns; undefined where the device holds no such
   * @throws Problem for values that the form cannot hold
   */
  pack(
    values: Float32Array,
    shape: readonly [number, number],
    form: PackedForm,
    inputAxis: 0 | 1,
    isTable: boolean = false,
  ): tf.Tensor2D | undefined {
    const packer = this.beginPack(shape, form, inputAxis, isTable);
    if (packer === undefined) return undefined;
    // What is added is not left as it was.
    for (let round = 1; round <= packer.rounds; round++) packer.add(values);
    return packer.finish();
  }

  /**
   * {@link OrtBackend.pack} for a weight that comes a few rows at a time, and so never lies in memory as a whole.
   *
   * @returns undefined where the device holds no such
   */
  beginPack(
    shape: readonly [number, number],
    form: PackedForm,
    inputAxis: 0 | 1,
    isTable: boolean = false,
  ): WeightPacker<tf.Tensor2D> | undefined {
    if (!this.device.holdsPacked) return undefined;
    const packer = packWeight(shape, form, inputAxis, isTable);
    return {
      ...packer,
      finish: () => tf.engine().makeTensorFromTensorInfo(this.store.pack(packer.finish()), this) as tf.Tensor2D,
    };
  }

  /** How a tensor's elements are kept: in float32, unless {@link OrtBackend.pack} made it. */
  formOf(tensor: tf.Tensor): PackedForm | undefined {
    return this.store.layoutOf(tensor)?.form;
  }

  /**
   * Inside a compiled function: `x`, but not before the other tensors are computed, so that values which follow from `x` do not live at
   * the same time as theirs. Elsewhere: `x`. The gradient flows to `x` alone.
   *
   * @returns a tensor that the caller owns
   */
  after<T extends tf.Tensor>(x: T, ...others: readonly tf.Tensor[]): T {
    if (!this.recording || others.length === 0) return tf.clone(x);
    const inputs = { x, ...Object.fromEntries(others.map((tensor, i) => [`other${i}`, tensor])) };
    return tf.customGrad(() => ({
      value: tf.engine().runKernel<tf.Tensor>(afterKernel, inputs),
      gradFunc: (dy: tf.Tensor) => tf.clone(dy),
    }))(x) as T;
  }

  /** Products of rows by groups; undefined on a device that runs no loops, such as a GPU. Who calls them writes the gradient. */
  get grouped(): GroupedProducts | undefined {
    if (!this.device.runsLoops) return undefined;
    const run = (name: string, inputs: tf.NamedTensorMap, attrs: tf.NamedAttrMap = {}): tf.Tensor =>
      tf.engine().runKernel(name, inputs, attrs);
    return {
      multiply: (a, matrices, counts, transposeB) => run(groupedMatMulKernel, { a, matrices, counts }, { transposeB }),
      outer: (a, b, counts) => run(groupedOuterKernel, { a, b, counts }),
    };
  }

  /** Predicts what a training step takes in memory beside its tensors. */
  workingMemory(largestBranch: number): WorkingMemory {
    const inArenas = Math.min(COPIES_IN_ARENAS * largestBranch, MOST_IN_ARENAS);
    return { program: PROGRAM_BYTES, step: Math.max(inArenas, COPIES_WITHOUT * largestBranch) };
  }

  /** @internal One kernel of tfjs. */
  runKernel(name: string, inputs: KernelInputs, attrs: object): tf.TensorInfo | tf.TensorInfo[] {
    const given = withoutMissing(inputs);
    const kernel = kernelTable.get(name);
    const tensors = Object.values(given).flat() as tf.TensorInfo[];
    if (this.recording) {
      refuseVariables(name, tensors);
      if (tensors.some(tensor => this.recording!.isSymbolic(tensor))) {
        return this.recording.kernel(name, kernel, given as Inputs<tf.TensorInfo>, attrs);
      }
    }
    if (name === 'Identity' && this.store.layoutOf(tensors[0]!)) return this.store.view(tensors[0]!, tensors[0]!.shape);
    const runsHere =
      kernel !== undefined &&
      tensors.every(({ dtype, shape }) => typeless.has(name) || (isTensorType(dtype) && !shape.includes(0))) &&
      kernel.supports(given as Inputs<tf.TensorInfo>, attrs);
    if (runsHere) return this.#eager.run(name, kernel, given as Inputs<tf.TensorInfo>, attrs);
    if ((tf.getKernel(name, 'cpu') as tf.KernelConfig | undefined) === undefined) {
      throw problem('tfjs-backend-ort', {
        what: `neither ONNX Runtime nor tfjs's cpu backend has the kernel ${name} for these inputs`,
        got: tensors.map(({ dtype, shape }) => `${dtype}[${shape.join()}]`),
      });
    }
    this.#fallbacks.set(name, (this.#fallbacks.get(name) ?? 0) + 1);
    return runOnCpu(name, given, attrs, this.store);
  }

  /** Takes elements from the host. */
  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): tf.DataId {
    return this.store.write(values, shape, dtype);
  }

  /** Takes over elements of another backend. */
  override move(
    dataId: tf.DataId,
    values: tf.BackendValues,
    shape: number[],
    dtype: tf.DataType,
    refCount: number,
  ): void {
    this.store.write(values, shape, dtype, dataId, refCount);
  }

  /** Elements of a tensor, once they are computed. */
  override read(dataId: tf.DataId): Promise<tf.BackendValues> {
    return this.store.read(dataId);
  }

  /** Elements of a tensor at once. @throws Problem on a device that cannot wait */
  override readSync(dataId: tf.DataId): tf.BackendValues {
    return this.store.readSync(dataId);
  }

  /** Frees a tensor's elements once nobody refers to them. */
  override disposeData(dataId: tf.DataId, force?: boolean): boolean {
    return this.store.release(dataId, force);
  }

  /** How many tensors share the elements. */
  override refCount(dataId: tf.DataId): number {
    return this.store.find(dataId)?.references ?? 0;
  }

  /** Counts one more tensor that shares the elements. */
  override incRef(dataId: tf.DataId): void {
    this.store.get(dataId).references++;
  }

  /** How many tensors hold elements. */
  override numDataIds(): number {
    return this.store.size;
  }

  /** Memory in use, with sessions. */
  override memory(): OrtMemory {
    return { unreliable: false, ...this.device.memory() };
  }

  /** Whether {@link OrtBackend.time} measures. */
  override timerAvailable(): boolean {
    return true;
  }

  /** How long a function takes, in milliseconds. */
  override time(run: () => void): Promise<tf.BackendTimingInfo> {
    const start = performance.now();
    run();
    return Promise.resolve({ kernelMs: performance.now() - start });
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  /** Gives idle memory and the sessions of single operations back. */
  override dispose(): void {
    this.trim();
  }
}

/** tfjs passes optional inputs that are not there as null or undefined. */
function withoutMissing(inputs: KernelInputs): KernelInputs {
  if (Array.isArray(inputs) || Object.values(inputs).every(input => input)) return inputs;
  return Object.fromEntries(Object.entries(inputs).filter(([, input]) => input));
}

/** A variable's value in a trace would be a constant of the graph: training would never change it. */
function refuseVariables(kernel: string, tensors: readonly tf.TensorInfo[]): void {
  const variable = tensors.find(tensor => tensor instanceof tf.Variable);
  if (!variable) return;
  throw problem('tfjs-backend-ort', {
    what: `a function inside compile() reads the variable '${(variable as tf.Variable).name}' (in ${kernel}) from outside`,
    expected: 'variables among its inputs',
    fix: 'pass the variable as an input of the compiled function',
  });
}
