import { nodeModule, writeAtomically } from '@dropbp/basics';
import { tokenHead, type Model } from '@dropbp/core';
import type { OnnxContent, OnnxNode, SymbolicValue } from '@dropbp/tfjs-backend-ort';
import { checkValues } from '../gguf/checkValues.ts';
import { planWeight, type OnnxType, type WeightPlan } from './onnxWeights.ts';
import type { SymbolicGraph } from './symbolicGraph.ts';
import { cacheParts, WEIGHT } from './traceDecoder.ts';

/** The ends of files' names, as transformers.js looks for them. */
export const suffixes: Readonly<Record<OnnxType, string>> = { fp32: '', fp16: '_fp16', q8: '_quantized', q4: '_q4' };

/** Weights above this lie in a file beside the model: protobuf holds no message of 2 GiB. */
export const MOST_INLINE_BYTES = 1.9e9;

/** 4-bit blocks came with opset 21. */
const versionsOf = (type: OnnxType): { irVersion: number; opset: number } =>
  type === 'q4' ? { irVersion: 10, opset: 21 } : { irVersion: 8, opset: 18 };

/**
 * Writes a model as one `.onnx` file, weight by weight, with its weights in a file beside it where they are too many.
 *
 * @returns the bytes of all files, and whether there is one beside
 */
export async function writeOnnx(
  model: Model,
  graph: SymbolicGraph,
  folder: string,
  type: OnnxType,
  mostInlineBytes: number,
): Promise<{ sizeBytes: number; isExternal: boolean }> {
  const { encodeConstantStart, encodeModel, neededNodes } = await import('@dropbp/tfjs-backend-ort');
  const path = nodeModule('export', 'node:path');
  const head = tokenHead(model);
  const plans = new Map<string, WeightPlan>();
  for (const [name, { shape }] of model.parameters) {
    const isOuter = name === head.weight || name === `${model.embedding}.weight`;
    plans.set(name, planWeight(`input.${WEIGHT}${name}`, shape, type, isOuter));
  }
  const inlineBytes = [...plans.values()].flatMap(({ stored }) => stored).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0); // prettier-ignore
  const isExternal = inlineBytes > mostInlineBytes;
  const content = describe(model, graph, [...plans.values()].flatMap(({ nodes }) => nodes)); // prettier-ignore
  const nodes = neededNodes(content.nodes, content.outputs.map(({ name }) => name)); // prettier-ignore
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  const constants = content.constants.filter(({ name }) => used.has(name));
  const file = `model${suffixes[type]}.onnx`;
  const beside = `${file}_data`;
  let sizeBytes = 0;
  let offset = 0;
  const count = (append: (bytes: Uint8Array) => Promise<void>) => async (bytes: Uint8Array) => {
    sizeBytes += bytes.length;
    await append(bytes);
  };
  const weights = async (write: (bytes: Uint8Array) => Promise<void>, data: typeof write): Promise<void> => {
    await write(encodeModel({ ...content, nodes, constants }, versionsOf(type)));
    for (const [name, { stored, encode }] of plans) {
      const values = (await model.parameters.get(name)!.data()) as Float32Array;
      checkValues(name, values, type === 'fp16' ? 'F16' : 'F32');
      const encoded = encode(values);
      for (const constant of stored) {
        const external = isExternal ? { file: beside, offset } : undefined;
        await write(encodeConstantStart(constant, constant.sizeBytes, external));
        await data(encoded[constant.part]);
        offset += constant.sizeBytes;
      }
    }
  };
  await writeAtomically('export', path.join(folder, file), async append => {
    const write = count(append);
    if (!isExternal) return weights(write, write);
    return writeAtomically('export', path.join(folder, beside), async data => weights(write, count(data)));
  });
  return { sizeBytes, isExternal };
}

/** Names of inputs and outputs are those of transformers.js and optimum. */
function describe(
  model: Model,
  { nodes, constants, outputs }: SymbolicGraph,
  before: readonly OnnxNode[],
): OnnxContent {
  const parts = cacheParts(model);
  const cache = (prefix: string, time: string): SymbolicValue[] =>
    parts.map(({ name, heads, size }) => ({ name: `${prefix}.${name}`, shape: ['batch_size', heads, time, size], dtype: 'float32' })); // prettier-ignore
  const past = cache('past_key_values', 'past_sequence_length');
  const present = cache('present', 'total_sequence_length');
  const inputNames = new Map(past.map(({ name }) => [`input.${name}`, name]));
  const rename = (node: OnnxNode): OnnxNode => ({ ...node, inputs: node.inputs.map(name => inputNames.get(name) ?? name) }); // prettier-ignore
  const results: SymbolicValue[] = [
    { name: 'logits', shape: ['batch_size', 'sequence_length', model.vocabSize], dtype: 'float32' },
    ...present,
  ];
  return {
    name: model.architecture,
    nodes: [
      ...before,
      ...nodes.map(rename),
      ...results.map(({ name }, i) => ({ op: 'Identity', inputs: [outputs[i]!], outputs: [name], attributes: {}, domain: '' as const })), // prettier-ignore
    ],
    inputs: [
      { name: 'input_ids', shape: ['batch_size', 'sequence_length'], dtype: 'int64' },
      { name: 'attention_mask', shape: ['batch_size', 'total_sequence_length'], dtype: 'int64' },
      { name: 'position_ids', shape: ['batch_size', 'sequence_length'], dtype: 'int64' },
      ...past,
    ],
    outputs: results,
    constants: [...constants.values()],
  };
}
