import type * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { findTokenHead, savedWeights, type Model } from '@dropbp/core';
import { loraLayers, type LoraLayer } from './loraLayers.ts';
import * as names from './names.ts';
import type { LoraSettings } from './settings.ts';
import { trainedTables, type TrainedTable } from './trainedTables.ts';

/** What an adapter trains of one model, before any of it exists. */
export interface LoraPlan {
  readonly settings: LoraSettings;
  readonly layers: readonly LoraLayer[];
  /** Weights of the base that are trained whole: those of modules, and biases. */
  readonly weights: readonly string[];
  readonly tables: readonly TrainedTable[];
  /** Whether a head that is tied to the embedding keeps its weight while the embedding's is trained. */
  readonly keepsHead: boolean;
  /** Every parameter. */
  readonly parameters: readonly PlannedParameter[];
}

/** A parameter that is trained and stored. */
export interface PlannedParameter {
  readonly name: string;
  /** Its name in PEFT's file, without the prefix. */
  readonly key: string;
  /** Where the file holds it again. */
  readonly copies?: readonly string[];
  /** Where the file may hold it again, as PEFT writes it for a model whose vocabulary was resized. */
  readonly doubles?: readonly string[];
  /** Where the file holds the model's own value. */
  readonly original?: string;
  readonly shape: readonly number[];
  /** The layer that it belongs to; absent for weights and rows of the base. */
  readonly layer?: LoraLayer;
}

/**
 * Finds what the settings train of a model.
 *
 * @param complete - whether every part of the settings must have an effect: PEFT does not ask for it
 * @throws Problem if the settings do not fit the model
 */
export function loraPlan(model: Model, settings: LoraSettings, complete: boolean): LoraPlan {
  const layers = loraLayers(model, settings, complete);
  const { modulesToSave = [] } = settings.rules;
  const saved = savedWeights('peft-lora', model, modulesToSave, complete);
  const tied = tiedNames(model);
  const isTying = settings.ensureWeightTying && modulesToSave.some(isTiedByPeft);
  const isShared = isTying && tied !== undefined && saved.some(name => tied.includes(name));
  // With tying, the embedding's weight is the head's: trained once, stored twice.
  const trained = isShared ? [tied[0], ...saved.filter(name => !tied.includes(name))] : saved;
  const tables = trainedTables(model, settings);
  const biases = trainedBiases(model, layers, settings, complete).filter(name => !saved.includes(name));
  const plan = { layers, tables, saved: new Set([...trained, ...(isShared ? tied : [])]) };
  checkApart(model, plan);
  checkTying(model, settings, layers);
  if (complete) checkTies(model, settings, isShared || tables.some(({ sharedWith }) => sharedWith !== undefined));
  const weights = [...trained, ...biases];
  const keepsHead = tied !== undefined && !isShared && saved.includes(tied[0]) && !saved.includes(tied[1]);
  return {
    settings,
    layers,
    weights,
    tables,
    keepsHead,
    parameters: [
      ...layers.flatMap(layer => ofLayer(layer, settings)),
      ...weights.map(name => ({
        name,
        key: keyOfWeight(name, layers),
        shape: weightOf(model, name).shape,
        ...(isShared && name === tied[0] && { copies: [tied[1]] }),
        ...(settings.bias === 'all' &&
          saved.includes(name) &&
          name.endsWith('.bias') &&
          doublesOf(name, modulesToSave)),
      })),
      ...tables.map(({ module, indices, width, sharedWith }) => {
        const name = `${module}.${names.ROWS}`;
        const doubles = sharedWith === undefined ? [] : [`${sharedWith}.${names.ROWS}`];
        return { name, key: name, shape: [indices.length, width], doubles };
      }),
    ],
  };
}

/** Names of embedding and output layer that PEFT looks for. Source: PEFT 0.21.2, `utils/constants.py`. */
export const embeddingNames: readonly string[] = ['embed_tokens', 'lm_head'];

/** Whether PEFT ties embedding and output layer for an entry of `modules_to_save`: not for GPT-2's `wte`. */
function isTiedByPeft(entry: string): boolean {
  return embeddingNames.includes(entry.slice(entry.lastIndexOf('.') + 1));
}

/** The embedding's weight and the name of the head's own, where the two share one. */
export function tiedNames(model: Model): readonly [embedding: string, head: string] | undefined {
  const head = findTokenHead(model);
  return head?.weight === `${model.embedding}.weight` ? [head.weight, `${head.path}.weight`] : undefined;
}

/** Paths of the tables of tokens: the embedding, and the output layer where the model has one. */
export function outerTables(model: Model): string[] {
  const head = findTokenHead(model);
  return [model.embedding, ...(head === undefined ? [] : [head.path])];
}

/** A weight of the base, that of a tied head by its own name too. */
export function weightOf(model: Model, name: string): tf.Tensor {
  const head = findTokenHead(model);
  const isHead = head !== undefined && name === `${head.path}.weight`;
  return model.parameters.get(isHead ? head.weight : name)!;
}

function ofLayer(layer: LoraLayer, { loraBias, useDora }: LoraSettings): PlannedParameter[] {
  const { module, kind, rank, inFeatures, outFeatures } = layer;
  const { a, b } = matrixNames(kind);
  const parts: [part: string, shape: number[]][] = [
    [a, [rank, inFeatures]],
    [b, [outFeatures, rank]],
  ];
  if (loraBias) parts.push([names.LORA_BIAS, [outFeatures]]);
  if (useDora) parts.push([names.MAGNITUDE, [outFeatures]]);
  return parts.map(([part, shape]) => ({ name: `${module}.${part}`, key: `${module}.${part}`, shape, layer }));
}

/** What a layer's two matrices are called. */
export function matrixNames(kind: LoraLayer['kind']): { readonly a: string; readonly b: string } {
  return kind === 'embedding' ? { a: names.EMBEDDING_A, b: names.EMBEDDING_B } : { a: names.LORA_A, b: names.LORA_B };
}

/** PEFT wraps an adapted layer, so that its own bias is that of the layer inside. */
function keyOfWeight(name: string, layers: readonly LoraLayer[]): string {
  const module = name.slice(0, name.lastIndexOf('.'));
  return layers.some(layer => layer.module === module) ? `${module}.base_layer${name.slice(module.length)}` : name;
}

/** With bias 'all', PEFT stores each bias of a saved module as that of the copy and of what the copy stands for too. */
function doublesOf(name: string, modulesToSave: readonly string[]): Pick<PlannedParameter, 'copies' | 'original'> {
  const parts = name.split('.');
  const depth = parts.findIndex(
    (_, i) => i > 0 && modulesToSave.some(entry => parts.slice(0, i).join('.').endsWith(entry)),
  );
  const [module, rest] = [parts.slice(0, depth).join('.'), parts.slice(depth).join('.')];
  // PEFT takes the adapter's name out of a key where it is the last part but one alone.
  const copy = parts.length - depth === 1 ? 'modules_to_save' : 'modules_to_save.default';
  return { copies: [`${module}.${copy}.${rest}`], original: `${module}.original_module.${rest}` };
}

function trainedBiases(
  { parameters }: Model,
  layers: readonly LoraLayer[],
  { bias }: LoraSettings,
  complete: boolean,
): string[] {
  if (bias === 'none') return [];
  const adapted = layers.map(({ module }) => `${module}.bias`);
  const found = [...parameters.keys()].filter(name =>
    bias === 'all' ? name.endsWith('.bias') : adapted.includes(name),
  );
  if (found.length > 0 || !complete) return found;
  throw problem('peft-lora', {
    what: `bias: '${bias}' trains nothing: ${bias === 'all' ? 'the model' : 'what is adapted'} has no biases`,
    fix: "leave it out, or set bias: 'none'",
  });
}

interface Claims {
  readonly layers: readonly LoraLayer[];
  readonly tables: readonly TrainedTable[];
  readonly saved: ReadonlySet<string>;
}

/** PEFT can train a module in one way only. */
function checkApart(model: Model, { layers, tables, saved }: Claims): void {
  const adapted = new Set(layers.map(({ module }) => module));
  const inTables = new Set(tables.flatMap(({ module, sharedWith }) => [module, ...(sharedWith === undefined ? [] : [sharedWith])])); // prettier-ignore
  const refuse = (module: string, first: string, second: string): never => {
    throw problem('peft-lora', {
      what: `'${module}' is trained in two ways: by ${first} and by ${second}`,
      expected: 'one of them, as in PEFT',
    });
  };
  for (const module of model.modules.keys()) {
    const isSaved = saved.has(`${module}.weight`) || saved.has(`${module}.bias`);
    if (isSaved && adapted.has(module)) refuse(module, 'modulesToSave', 'targetModules');
    if (isSaved && inTables.has(module)) refuse(module, 'modulesToSave', 'trainableTokenIndices');
    if (adapted.has(module) && inTables.has(module)) refuse(module, 'targetModules', 'trainableTokenIndices');
  }
}

function checkTying(model: Model, { ensureWeightTying }: LoraSettings, layers: readonly LoraLayer[]): void {
  const tied = outerTables(model);
  const shared = layers.find(({ module }) => tied.includes(module));
  if (!ensureWeightTying || tiedNames(model) === undefined || shared === undefined) return;
  throw problem('peft-lora', {
    what: `ensureWeightTying: an adapter that embedding and output layer share is not supported, and '${shared.module}' is adapted`,
    expected:
      'it together with modulesToSave or trainableTokenIndices: in PEFT a shared adapter is updated twice a step',
    fix: 'leave the two out of targetModules, or let each have an adapter of its own, without ensureWeightTying',
  });
}

function checkTies(model: Model, { ensureWeightTying }: LoraSettings, isShared: boolean): void {
  if (!ensureWeightTying || isShared) return;
  throw problem('peft-lora', {
    what:
      tiedNames(model) === undefined
        ? 'ensureWeightTying has no effect: embedding and output layer of the model have a weight each'
        : 'ensureWeightTying has no effect: neither modulesToSave nor trainableTokenIndices names embedding or output layer',
    fix: 'leave it out',
  });
}
