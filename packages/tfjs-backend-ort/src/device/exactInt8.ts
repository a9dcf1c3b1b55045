import { Graph } from '../graph/graph.ts';
import { sessionModel } from '../graph/sessionModel.ts';
import { onnxTypeCode } from '../onnx/elementType.ts';
import type { OnnxConstant, OnnxModel, OnnxNode } from '../onnx/onnxModel.ts';
import type { OrtBinding } from './node/ortBinding.ts';

/*
 * On x86 without VNNI (AMD before Zen 4, Intel before Cascade Lake) ONNX Runtime multiplies uint8 with int8 by an instruction that adds two
 * products in 16 bits, cut off at 32767: 255·127 + 255·127 comes out as half of it. In a real model that happens all the time.
 * Products of uint8 with uint8 are exact there; with VNNI they are the slower ones. `MatMulInteger` is left alone: kernels take it
 * for numbers of seven bits, of which two products always fit.
 */

const PRODUCT = 'MatMulIntegerToFloat';
const offset = 'exactInt8.offset';
const zero = 'exactInt8.zero';

/** The model with int8 weights moved by 128, and that as their zero point: exact on every processor. */
export function exactInt8(model: OnnxModel): OnnxModel {
  /** Weights that are moved already: several products may read one. */
  const moved = new Set<string>();
  const nodes = model.nodes.flatMap((node): OnnxNode[] => {
    const [values, weight, ...rest] = node.inputs as [string, string, ...string[]];
    if (node.op !== PRODUCT || model.values.get(weight)?.dtype !== 'int8') return [node];
    const unsigned = `${weight}.unsigned`;
    const product = { ...node, inputs: [values, unsigned, ...rest, zero] };
    if (moved.has(weight)) return [product];
    moved.add(weight);
    const flipped = `${weight}.flipped`;
    return [
      // As bits, w + 128 in uint8 is w in int8 with its first bit turned over.
      { op: 'BitwiseXor', inputs: [weight, offset], outputs: [flipped], attributes: {}, domain: '' },
      { op: 'Cast', inputs: [flipped], outputs: [unsigned], attributes: { to: onnxTypeCode.uint8 }, domain: '' },
      product,
    ];
  });
  if (moved.size === 0) return model;
  const byte = { shape: [], data: Uint8Array.of(128) };
  const constants: OnnxConstant[] = [
    { name: offset, dtype: 'int8', ...byte },
    { name: zero, dtype: 'uint8', ...byte },
  ];
  return { ...model, nodes, constants: [...model.constants, ...constants] };
}

/** Whether this processor cuts products of uint8 with int8 off. */
function cutsOff(binding: OrtBinding): boolean {
  const size = 16;
  const graph = new Graph();
  const a = graph.constant(new Uint8Array(size * size).fill(255), [size, size], 'uint8');
  const b = graph.constant(new Int8Array(size * size).fill(127), [size, size], 'int8');
  const one = graph.scalar(1, 'float32');
  const y = graph.node(PRODUCT, [a, b, one, one], [size, size], 'float32', { domain: 'com.microsoft' });
  const session = binding.load(sessionModel('int8 check', graph, graph.nodes, [y]), {});
  const data = new Float32Array(size * size);
  session.run({}, { [y.name]: { type: 'float32', dims: y.shape, data, location: 'cpu' } });
  session.dispose();
  return data[0] !== size * 255 * 127;
}

/** What models are loaded as on this processor, which is looked at before the first product in int8. */
export function int8Models(binding: OrtBinding): (model: OnnxModel) => OnnxModel {
  let isCutOff: boolean | undefined;
  return model => {
    if (!model.nodes.some(({ op }) => op === PRODUCT)) return model;
    isCutOff ??= cutsOff(binding);
    return isCutOff ? exactInt8(model) : model;
  };
}
