import type * as tf from '@tensorflow/tfjs';
import {
  findTokenHead,
  matchesTarget,
  PEFT_PREFIX,
  toNamedArrays,
  type Model,
  type NamedArray,
  type PeftFiles,
  type StoredBase,
} from '@dropbp/core';
import type { LoraStart } from '../layer/attachLora.ts';
import { convertLayer, convertSettings } from '../init/convert.ts';
import { embeddingNames, matrixNames, outerTables, tiedNames, weightOf, type LoraPlan } from '../plan/loraPlan.ts';
import type { LoraSettings } from '../plan/settings.ts';

/** The configuration for settings: those of the adapter, or of what it is converted into. */
export type ConfigOf = (settings: LoraSettings) => PeftFiles['config'];

/** The adapter as PEFT's files. @throws Problem if a parameter holds NaN or infinity */
export async function writePeft(
  model: Model,
  plan: LoraPlan,
  parameters: ReadonlyMap<string, tf.Variable>,
  { taken, baseWeights = [], config }: LoraStart,
): Promise<PeftFiles> {
  const { settings, layers } = plan;
  const values = await toNamedArrays('peft-lora', parameters);
  const isConverted = taken !== undefined && taken.size > 0;
  if (isConverted) {
    for (const layer of layers) {
      const { a, b } = matrixNames(layer.kind);
      const [nameOfA, nameOfB] = [`${layer.module}.${a}`, `${layer.module}.${b}`];
      const doubled = convertLayer(
        layer,
        values.get(nameOfA)!.data,
        values.get(nameOfB)!.data,
        taken.get(layer.module),
      );
      values.set(nameOfA, doubled.a).set(nameOfB, doubled.b);
    }
  }
  const tensors = new Map<string, NamedArray>();
  for (const { key, array } of baseWeights) tensors.set(PEFT_PREFIX + key, array);
  for (const module of storedEmbeddings(model, plan)) {
    if (baseWeights.some(({ key }) => key.startsWith(`${module}.`))) continue;
    const weight = weightOf(model, `${module}.weight`);
    const data = (await weight.data()) as Float32Array;
    tensors.set(`${PEFT_PREFIX}${module}.base_layer.weight`, { shape: weight.shape, data });
  }
  for (const { key, weight } of grownTables(model, plan)) {
    if (baseWeights.some(stored => stored.weight === weight) || tensors.has(PEFT_PREFIX + key)) continue;
    const table = model.parameters.get(weight)!;
    tensors.set(PEFT_PREFIX + key, { shape: table.shape, data: (await table.data()) as Float32Array });
  }
  for (const { name, key, shape, copies = [], original } of plan.parameters) {
    const array = values.get(name)!;
    tensors.set(PEFT_PREFIX + key, array);
    for (const copy of copies) tensors.set(PEFT_PREFIX + copy, { ...array, data: array.data.slice() });
    if (original === undefined) continue;
    const data = (await weightOf(model, name).data()) as Float32Array;
    tensors.set(PEFT_PREFIX + original, { shape, data });
  }
  return { config: config(isConverted ? convertSettings(settings) : settings), tensors };
}

/**
 * Embedding and output layer of a model whose vocabulary has grown: the source has no rows of the new tokens, so the file holds the
 * tables, as PEFT's does. Those that the adapter trains whole, or all of whose new rows, are in the file anyway.
 */
function grownTables(model: Model, { layers, tables, weights, keepsHead }: LoraPlan): StoredBase[] {
  const { vocabSize, sourceVocabSize = vocabSize, embedding } = model;
  if (vocabSize <= sourceVocabSize) return [];
  const head = findTokenHead(model);
  const hasOwnTable = head !== undefined && (keepsHead || tiedNames(model) === undefined);
  const modules = hasOwnTable ? [embedding, head.path] : [embedding];
  return modules.flatMap(module => {
    const table = tables.find(one => one.module === module);
    const added = Array.from({ length: vocabSize - sourceVocabSize }, (_, i) => sourceVocabSize + i);
    const isTrained = weights.includes(`${module}.weight`) || added.every(token => table?.indices.includes(token));
    if (isTrained) return [];
    const isAdapted = layers.some(layer => layer.module === module);
    const part = table !== undefined ? 'token_adapter.base_layer.weight' : isAdapted ? 'base_layer.weight' : 'weight';
    return [{ key: `${module}.${part}`, weight: module === head?.path ? head.weight : `${embedding}.weight` }];
  });
}

/**
 * The adapted ones of embedding and output layer, if PEFT stores their own weights along: where targets name them as Llama does,
 * and no rows are trained.
 */
function storedEmbeddings(model: Model, { settings, layers }: LoraPlan): string[] {
  const { targetModules } = settings.rules;
  const isNamed =
    typeof targetModules === 'string'
      ? [...model.modules.keys()].some(
          module =>
            embeddingNames.includes(module.slice(module.lastIndexOf('.') + 1)) &&
            matchesTarget('peft-lora', module, { targetModules }),
        )
      : embeddingNames.some(name => targetModules.includes(name));
  if (!isNamed || settings.trainableTokenIndices !== undefined) return [];
  const adapted = new Set(layers.map(({ module }) => module));
  return outerTables(model).filter(module => adapted.has(module));
}
