import { problem } from '@dropbp/basics';
import { broadcastShapes, sameShape, type Shape } from '../../graph/shape.ts';
import { neededNodes } from '../../graph/neededNodes.ts';
import {
  nodeName,
  type OnnxAttribute,
  type OnnxConstant,
  type OnnxModel,
  type OnnxNode,
} from '../../onnx/onnxModel.ts';

/*
 * Where ONNX Runtime 1.30.0's WebGPU differs from its CPU. Everything else runs there as it is; operations that it does not have
 * (LogSoftmax, Mod, Or, Round, Sign, integers of 64 bits) run on the CPU by ONNX Runtime's own choice, with a copy each way.
 */

/** What a rewriting knows of the model, and where it puts constants of its own. */
interface Context {
  readonly shape: (name: string) => Shape;
  /** The elements of an int64 constant, where the value is one. */
  readonly ints: (name: string) => number[] | undefined;
  readonly constant: (list: readonly number[]) => string;
  readonly producer: (name: string) => OnnxNode | undefined;
}

const rewritings: Readonly<Record<string, (node: OnnxNode, context: Context) => OnnxNode[]>> = {
  // It has none, and attention would go to the CPU and back.
  FusedMatMul(product, { shape }) {
    const [a, b] = product.inputs as [string, string];
    const left = product.attributes.transA === 1 ? transposed(a, `${product.outputs[0]!}.a`, shape(a)) : undefined;
    const right = product.attributes.transB === 1 ? transposed(b, `${product.outputs[0]!}.b`, shape(b)) : undefined;
    const inputs = [left?.outputs[0] ?? a, right?.outputs[0] ?? b];
    return [...(left ? [left] : []), ...(right ? [right] : []), node('MatMul', inputs, product.outputs)];
  },

  // It fails where the shorter input is no scalar: raw_hash_map::at.
  Pow(power, { shape, constant }) {
    const shapes = power.inputs.map(shape);
    const whole = shapes.reduce(broadcastShapes);
    if (shapes.some(({ length }) => length === 0)) return [power];
    const expansions = power.inputs.flatMap((input, i) =>
      sameShape(shapes[i]!, whole) ? [] : [node('Expand', [input, constant(whole)], [`${power.outputs[0]!}.${i}`])],
    );
    const written = new Map(expansions.map(({ inputs, outputs }) => [inputs[0]!, outputs[0]!]));
    return [...expansions, { ...power, inputs: power.inputs.map(input => written.get(input) ?? input) }];
  },

  // Backwards it always begins at the last element, wherever it should: the elements after that are cut off before.
  Slice(slice, { shape, ints, constant }) {
    const [x, ...lists] = slice.inputs as [string, ...string[]];
    const [starts, , axes, steps] = lists.map(ints);
    const cuts = (steps ?? []).flatMap((step, i) => {
      const [axis, end] = [axes![i]!, starts![i]! + 1];
      return step < 0 && end < shape(x)[axis]! ? [{ axis, end }] : [];
    });
    if (cuts.length === 0) return [slice];
    const cut = `${slice.outputs[0]!}.cut`;
    const bounds = [cuts.map(() => 0), cuts.map(({ end }) => end), cuts.map(({ axis }) => axis)].map(constant);
    return [node('Slice', [x, ...bounds], [cut]), { ...slice, inputs: [cut, ...lists] }];
  },

  // A shader may bind eight buffers everywhere, and it binds one for each part.
  Split(split, { shape, ints, constant }) {
    const [x, lengths] = split.inputs as [string, string];
    if (split.outputs.length < maxBuffers) return [split];
    const rank = shape(x).length;
    const axis = split.attributes.axis as number;
    const axes = constant([axis < 0 ? axis + rank : axis]);
    let begin = 0;
    return split.outputs.map((output, i) => {
      const starts = constant([begin]);
      begin += ints(lengths)![i]!;
      return node('Slice', [x, starts, constant([begin]), axes], [output]);
    });
  },

  // A shape that is computed is kernels/ordering.ts's way to make `x` wait for an element. Shapes are read on the CPU, which would
  // wait for the GPU. Here `x` is chosen whatever the element is.
  Reshape(reshape, { ints, producer }) {
    const [x, shape] = reshape.inputs as [string, string];
    if (ints(shape)) return [reshape];
    // The shape is sizes + 0 · int64(element).
    const element = [1, 0, 0].reduce<string | undefined>((name, i) => name && producer(name)?.inputs[i], shape);
    if (!element) throw problem('tfjs-backend-ort', { what: 'a graph computes a shape', fix: 'report this' });
    const always = `${reshape.outputs[0]!}.always`;
    return [node('Equal', [element, element], [always]), node('Where', [always, x, x], reshape.outputs)];
  },
};

/** What WebGPU promises for every GPU: `maxStorageBuffersPerShaderStage`. */
const maxBuffers = 8;

/** Exact to 10⁻⁴ only, as WGSL allows and some GPUs do: they run on the CPU. Source: WGSL, accuracy of built-in functions. */
const inexact: ReadonlySet<string> = new Set(['Asin', 'Acos', 'Sin', 'Cos', 'Tan']);

/** The model in operations that compute the same on WebGPU, and stay on the GPU where they can. */
export function webgpuModel(model: OnnxModel): OnnxModel {
  const constants = new Map(model.constants.map(constant => [constant.name, constant]));
  const producers = new Map(model.nodes.flatMap(node => node.outputs.map(name => [name, node] as const)));
  const context: Context = {
    shape: name => model.values.get(name)!.shape,
    ints: name => int64Elements(constants.get(name)),
    constant(list) {
      const name = `webgpu.${list.join()}`;
      const data = new Uint8Array(BigInt64Array.from(list, BigInt).buffer);
      constants.set(name, { name, shape: [list.length], dtype: 'int64', data });
      return name;
    },
    producer: name => producers.get(name),
  };
  const nodes = model.nodes.flatMap(node => rewritings[node.op]?.(node, context) ?? [node]);
  const needed = neededNodes(
    nodes,
    model.outputs.map(({ name }) => name),
  );
  return { ...model, nodes: needed, constants: [...constants.values()] };
}

/** Names of the nodes that must not run on the GPU. */
export function nodesForCpu({ nodes }: OnnxModel): string[] {
  return nodes.flatMap((node, i) => (inexact.has(node.op) ? [nodeName(node, i)] : []));
}

function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): OnnxNode {
  return { op, inputs, outputs, attributes, domain: '' };
}

/** The last two axes exchanged. */
function transposed(x: string, output: string, { length }: Shape): OnnxNode {
  const perm = Array.from({ length }, (_, i) => (i < length - 2 ? i : 2 * length - 3 - i));
  return node('Transpose', [x], [output], { perm });
}

function int64Elements(constant: OnnxConstant | undefined): number[] | undefined {
  if (constant?.dtype !== 'int64') return undefined;
  const bytes = constant.data.slice();
  return Array.from(new BigInt64Array(bytes.buffer), Number);
}
