import * as tf from '@tensorflow/tfjs';
import { problem, type SeededRandom } from '@dropbp/basics';
import { tokenHead, disposeOnce, weightForm, type Attachment, type BatchShape, type Model } from '@dropbp/core';
import { doraNorms } from './dora.ts';
import { hooksFor } from './hooks.ts';
import type { LoraValues } from '../init/initialValues.ts';
import type { LoraLayer } from '../plan/loraLayers.ts';
import { matrixNames, tiedNames, weightOf, type LoraPlan, type PlannedParameter } from '../plan/loraPlan.ts';
import type { StoredWeight } from '../files/matchTensors.ts';
import { baseWeight, type LoraTensors } from './loraTensors.ts';
import { mergedWeights, unmergedWeights } from './mergedWeights.ts';
import * as names from '../plan/names.ts';
import type { TrainedTable } from '../plan/trainedTables.ts';
import { writePeft, type ConfigOf } from '../files/writePeft.ts';

/** Where an adapter starts. */
export interface LoraStart {
  /** First values by parameter name. What is not there starts as the model is. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** By module, A and B that the initialisation took out of the base. @defaultValue none */
  readonly taken?: ReadonlyMap<string, LoraValues>;
  /** Base weights that come with the adapter. @defaultValue none */
  readonly baseWeights?: readonly StoredWeight[];
  /** The configuration for {@link Attachment.toPeft}. */
  readonly config: ConfigOf;
}

/**
 * Makes the parameters of a plan.
 *
 * @throws Problem for a weight of the base that is to be trained and is kept in fewer bits
 */
export function attachLora(model: Model, plan: LoraPlan, start: LoraStart): Attachment {
  checkForms(model, plan, start.values);
  const { layers, tables, settings } = plan;
  const constants = makeConstants(model, plan, start);
  const parameters = new Map<string, tf.Variable>();
  for (const planned of plan.parameters) {
    parameters.set(planned.name, firstValue(model, planned, { parameters, constants }, start.values));
  }
  const tensors: LoraTensors = { parameters, constants };
  const { dropout } = settings;
  const thinned = layers.filter(({ kind }) => kind !== 'embedding');
  return {
    ...tensors,
    aliases: new Map(tables.flatMap(sharedNames)),
    hooks: hooksFor(dropout),
    adaptedModules: new Set([
      ...layers.map(({ module }) => module),
      ...tables.flatMap(({ module, sharedWith }) => (sharedWith === undefined ? [module] : [module, sharedWith])),
    ]),
    ...(dropout > 0 && {
      stepTensors: (shape: BatchShape, _random: SeededRandom, ofRow: (row: number) => SeededRandom) => {
        const rows = Array.from({ length: shape.batch }, (_, row) => ofRow(row));
        return new Map(
          thinned.map(layer => [`${layer.module}.${names.KEPT}`, keptEntries(layer, shape, dropout, rows)]),
        );
      },
    }),
    mergedWeights: () => mergedWeights(model, plan, tensors),
    unmergedWeights: () => unmergedWeights(model, plan, tensors),
    toPeft: () => writePeft(model, plan, parameters, start),
    dispose: () => disposeOnce([...parameters.values(), ...constants.values()]),
  };
}

function makeConstants(model: Model, plan: LoraPlan, { taken, baseWeights = [] }: LoraStart): Map<string, tf.Tensor> {
  const constants = new Map<string, tf.Tensor>();
  for (const { weight, array } of baseWeights) {
    // A tied table may be stored under both of its names.
    if (!constants.has(weight)) constants.set(weight, tf.tensor(array.data, [...array.shape]));
  }
  if (plan.keepsHead) {
    const head = tokenHead(model);
    const stored = baseWeights.find(({ key }) => key.startsWith(`${head.path}.`))?.array;
    const weight =
      stored === undefined ? model.parameters.get(head.weight)!.clone() : tf.tensor(stored.data, [...stored.shape]);
    constants.set(tiedNames(model)![1], weight);
  }
  for (const layer of plan.layers) {
    const { module, rank, inFeatures, outFeatures, scaling } = layer;
    constants.set(`${module}.${names.SCALING}`, tf.scalar(scaling));
    const start = taken?.get(module);
    if (start !== undefined) {
      constants.set(`${module}.${names.START_A}`, tf.tensor2d(start.a, [rank, inFeatures]));
      const negative = start.b.map(value => -scaling * value);
      constants.set(`${module}.${names.START_B}`, tf.tensor2d(negative, [outFeatures, rank]));
    }
    if (plan.settings.useDora) constants.set(`${module}.${names.SQUARES}`, squaresOf(model, layer, constants));
  }
  for (const { module, entries, indices } of plan.tables) {
    const rowNumbers = new Int32Array(entries).fill(indices.length);
    indices.forEach((entry, row) => (rowNumbers[entry] = row));
    constants.set(`${module}.${names.ROW_NUMBERS}`, tf.tensor1d(rowNumbers, 'int32'));
    constants.set(`${module}.${names.ROW_INDICES}`, tf.tensor1d([...indices], 'int32'));
  }
  return constants;
}

/** A weight that is trained as a whole starts from the base's, unless a file gives it. */
function checkForms(model: Model, { weights }: LoraPlan, values: LoraStart['values']): void {
  for (const name of weights) {
    const form = weightForm(weightOf(model, name));
    if (form === 'f32' || values.has(name)) continue;
    throw problem('peft-lora', {
      what: `'${name}', which modulesToSave names, is kept as ${form} and cannot be trained`,
      fix: "load the model with weights: 'f32', or embeddings: 'f32' for its table of tokens, or leave the module out",
    });
  }
}

/** The names under which a tied head reads the rows of the embedding. */
function sharedNames({ module, sharedWith }: TrainedTable): [alias: string, name: string][] {
  if (sharedWith === undefined) return [];
  return [names.ROWS, names.ROW_NUMBERS, names.ROW_INDICES].map(part => [`${sharedWith}.${part}`, `${module}.${part}`]);
}

function firstValue(
  model: Model,
  { name, shape, layer }: PlannedParameter,
  tensors: LoraTensors,
  values: ReadonlyMap<string, Float32Array>,
): tf.Variable {
  const given = values.get(name);
  const first = tf.tidy(() => {
    if (given !== undefined) return tf.tensor(given, [...shape], 'float32');
    if (layer !== undefined) return normsOf(model, layer, tensors); // the one parameter of a layer that follows from others
    if (name.endsWith(names.ROWS)) {
      const module = name.slice(0, -names.ROWS.length - 1);
      const rowIndices = tensors.constants.get(`${module}.${names.ROW_INDICES}`)!;
      return tf.gather(baseWeight(model, tensors.constants, `${module}.weight`), rowIndices);
    }
    return baseWeight(model, tensors.constants, name).clone();
  });
  const variable = tf.variable(first);
  first.dispose();
  return variable;
}

/** `[out]`: of the weight as the initialisation left it. The caller owns it. */
function squaresOf(model: Model, layer: LoraLayer, constants: LoraTensors['constants']): tf.Tensor {
  const { module, kind } = layer;
  return tf.tidy(() => {
    const weight = baseWeight(model, constants, `${module}.weight`);
    const squares = tf.sum(tf.square(weight), kind === 'linear' ? 1 : 0);
    const a = constants.get(`${module}.${names.START_A}`);
    if (a === undefined) return squares;
    const b = constants.get(`${module}.${names.START_B}`)!;
    const throughBase = rowsThrough(weight, kind, a);
    return tf.square(doraNorms({ squares, a, b, scaling: tf.scalar(1), throughBase }));
  });
}

/** `[out]`: the norms of the weight with the adapter, which DoRA's magnitudes start from. */
function normsOf(model: Model, { module, kind }: LoraLayer, { parameters, constants }: LoraTensors): tf.Tensor {
  const { a, b } = matrixNames(kind);
  const down = parameters.get(`${module}.${a}`)!;
  const throughWeight = rowsThrough(baseWeight(model, constants, `${module}.weight`), kind, down);
  const start = constants.get(`${module}.${names.START_A}`);
  const through =
    start === undefined
      ? throughWeight
      : tf.add(
          throughWeight,
          tf.matMul(tf.matMul(down, start, false, true), constants.get(`${module}.${names.START_B}`)!, false, true),
        );
  return doraNorms({
    squares: constants.get(`${module}.${names.SQUARES}`)!,
    a: down,
    b: parameters.get(`${module}.${b}`)!,
    scaling: constants.get(`${module}.${names.SCALING}`)!,
    throughBase: through,
  });
}

/** `[rank, out]`: rows `[rank, in]` through a weight in the layout of its kind. */
function rowsThrough(weight: tf.Tensor, kind: LoraLayer['kind'], rows: tf.Tensor): tf.Tensor {
  return tf.matMul(rows, weight, false, kind === 'linear');
}

/** bool `[batch, time, inFeatures]`: true with probability 1 − dropout. Each row is drawn by its own generator. */
function keptEntries(
  layer: LoraLayer,
  { batch, time }: BatchShape,
  dropout: number,
  rows: readonly SeededRandom[],
): tf.Tensor {
  const kept = new Uint8Array(batch * time * layer.inFeatures);
  rows.forEach((random, row) => {
    const end = (row + 1) * time * layer.inFeatures;
    for (let i = row * time * layer.inFeatures; i < end; i++) kept[i] = random() < dropout ? 0 : 1;
  });
  return tf.tensor3d(kept, [batch, time, layer.inFeatures], 'bool');
}
