import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Results, Tensors } from '@dropbp/engine';
import type { Feed, Handle } from '../device/device.ts';
import { neededNodes } from '../graph/neededNodes.ts';
import { sameShape, type Shape, sizeOf } from '../graph/shape.ts';
import type { TensorType } from '../onnx/elementType.ts';
import type { Plan } from './plan.ts';
import type { RecordingBackend } from './recording.ts';
import { inputName, type InputShapes } from './tracedFunction.ts';

/**
 * Elements that are computed at a time: few enough that what lies between the operations stays in the caches, enough that a
 * run's own cost does not matter.
 */
const partLength = 2 ** 19;

const elementwiseOps: ReadonlySet<string> = new Set(
  (
    'Abs Add And Cast Ceil Clip Cos Div Elu Equal Erf Exp Expand Floor Greater GreaterOrEqual Identity IsInf IsNaN LeakyRelu Less ' +
    'LessOrEqual Log Max Min Mod Mul Neg Not Or Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Sqrt Sub Tanh Where Xor'
  ).split(' '),
);

/** A function that works element by element, for inputs of one length. */
export interface ElementwisePlan extends Plan {
  /** Results that may be written over the inputs that they replace. */
  readonly inPlace: ReadonlySet<number>;
}

/** Which input result number `result` takes the place of. */
export type Replaces = (result: number) => string;

/**
 * Runs a function that works element by element, in parts where its inputs are long, and each result in the place of an input
 * where nobody else can see that.
 *
 * @param planOf - the function's plan for inputs of these shapes
 * @throws Problem for a function that does not work so
 */
export function runElementwise(
  backend: RecordingBackend,
  name: string,
  inputs: Tensors,
  replaces: Replaces,
  planOf: (inputs: InputShapes) => ElementwisePlan,
): Results {
  const { store, device } = backend;
  const shape = inputs[replaces(0)]?.shape ?? [];
  const length = sizeOf(shape);
  const isLong = (tensor: tf.Tensor): boolean => sameShape(tensor.shape, shape);
  const wrong = Object.entries(inputs).find(([, tensor]) => !isLong(tensor) && tensor.size !== 1);
  if (wrong) throw unfit(name, `input '${wrong[0]}' [${wrong[1].shape.join()}]`, shape);

  const plan = (count: number): ElementwisePlan =>
    planOf(
      Object.fromEntries(
        Object.entries(inputs).map(([key, tensor]) => [
          key,
          { shape: isLong(tensor) ? [count] : [], dtype: tensor.dtype },
        ]),
      ),
    );
  const step = device.part ? partLength : length;
  const first = plan(Math.min(step, length));
  const made = first.outputs.map((output, i) => {
    const input = first.inPlace.has(i) ? inputs[replaces(i)] : undefined;
    const handle = input && store.overwritten(input);
    if (handle) return { info: store.view(input, shape), handle };
    const info = store.alloc([length], first.recording.graph.values.get(output)!.dtype as TensorType);
    return { info: { ...info, shape: [...shape] }, handle: info.handle };
  });
  for (let start = 0; start < length; start += step) {
    const count = Math.min(step, length - start);
    const { forward, outputs } = start + step <= length || start === 0 ? first : plan(count);
    const part = (handle: Handle): Handle => (count === length ? handle : device.part!(handle, start, count, false)!);
    const feeds: Record<string, Feed> = {};
    for (const key of forward.inputs) {
      const tensor = inputs[key.slice(inputName('').length)]!;
      const { handle } = store.feed(tensor);
      feeds[key] = isLong(tensor) ? { handle: part(handle), dims: [count] } : { handle, dims: [] };
    }
    const handles = Object.fromEntries(outputs.map((output, i) => [output, part(made[i]!.handle)]));
    forward.runOn(feeds, handles);
  }
  const tensors = made.map(({ info }) => tf.engine().makeTensorFromTensorInfo(info, backend));
  return first.isList ? tensors : tensors[0]!;
}

/** @throws Problem for a function that does not work element by element */
export function elementwisePlan(name: string, plan: Plan, inputs: InputShapes, replaces: Replaces): ElementwisePlan {
  const { graph, captured } = plan.recording;
  const nodes = neededNodes(graph.nodes, plan.outputs);
  const foreign = nodes.find(({ op }) => !elementwiseOps.has(op));
  if (foreign) throw unfit(name, `the operation ${foreign.op}`);
  if (captured.length > 0) throw unfit(name, `a tensor from outside, [${captured[0]!.info.shape.join()}]`);
  const expected = inputs[replaces(0)]?.shape ?? [];
  const misshapen = plan.outputs.find(output => !sameShape(graph.values.get(output)!.shape, expected));
  if (misshapen !== undefined) throw unfit(name, 'a result of another size than its inputs');

  const taken = new Set<string>();
  const inPlace = plan.outputs.flatMap((output, i) => {
    const input = replaces(i);
    if (taken.has(input)) return [];
    taken.add(input);
    // All that reads the input has to come before the operation that makes the result, or to be that operation.
    const before = new Set(neededNodes(nodes, [output]));
    return nodes.every(node => before.has(node) || !node.inputs.includes(inputName(input))) ? [i] : [];
  });
  return { ...plan, inPlace: new Set(inPlace) };
}

function unfit(name: string, got: string, shape?: Shape): Error {
  return problem('tfjs-backend-ort', {
    what: `the function ${name} does not work element by element, as its option replaces says`,
    got,
    expected: `operations on single elements, and inputs of ${shape ? `[${shape.join()}]` : 'one shape'} or of one element`,
    fix: 'compile it without replaces',
  });
}
