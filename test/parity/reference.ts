import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { openSafetensors, toFloat32 } from '@dropbp/safetensors';
import type { Batch } from '@dropbp/core';
import type { LoraOptions } from '@dropbp/peft-lora';

/** A batch as Python wrote it. */
export interface BatchReference {
  readonly inputIds: number[][];
  readonly labels: number[][];
  readonly attentionMask?: number[][];
}

/** What reference.py wrote for one model, as far as the suite reads it. */
export interface Reference {
  readonly model: string;
  readonly prompts: number[][];
  readonly padded: { inputIds: number[][]; attentionMask: number[][] };
  readonly greedy: { prompt: number[]; tokens: number[] };
  readonly batches?: { inputIds: number[][]; labels: number[][] }[];
  readonly lora?: LoraReference[];
  /** Two adapters `a` and `b` put together: options of each way, by PEFT's names. */
  readonly combined?: { weights: number[]; combinations: Record<string, Record<string, unknown>> };
  readonly full?: { optimizer: OptimizerReference; losses: number[] };
  readonly dropbp?: { method: string; pattern: string; dropped: boolean[]; loss: number; gradients: string }[];
}

export interface LoraReference {
  readonly name: string;
  /** Shapes of what PEFT trains, by our names. */
  readonly trainable: Readonly<Record<string, readonly number[]>>;
  /** Whether PEFT merges it as we do. */
  readonly merges: boolean;
  /** Whether A and B are taken out of the base at first: each library decomposes it anew. */
  readonly takesFromBase: boolean;
  /** Whether there is the trained adapter as PEFT converts it for the base as it was, too. */
  readonly converted: boolean;
  readonly optimizer: OptimizerReference;
  /** Options of LoRA+ by PEFT's names. */
  readonly loraplus: Readonly<Record<string, number>> | null;
  readonly schedule: { kind: 'constant' | 'cosine'; warmupSteps: number; maxGradNorm: number | null };
  readonly losses: number[];
}

export interface OptimizerReference {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Values of `model_type` of models that write no text: encoder_cases.py makes their reference values. */
export const encoderTypes: readonly string[] = ['bert'];

const here = fileURLToPath(new URL('.', import.meta.url));
export const modelsFolder: string = join(here, '../.models');
export const referenceFolder: string = join(here, '../.cache/parity');
/** What the suite writes for check_ours.py to read. */
export const oursFolder: string = join(here, '../.cache/ours');

/** The models that reference values exist for. Missing values are an error, never a skipped suite. */
export function referenceModels(): string[] {
  const names = existsSync(referenceFolder) ? readdirSync(referenceFolder) : [];
  const models = names.filter(name => existsSync(join(referenceFolder, name, 'reference.json')));
  if (models.length === 0) throw new Error('no reference values: run test/parity/make.sh first');
  return models.sort();
}

export function readReference(model: string): Reference {
  return JSON.parse(readFileSync(join(referenceFolder, model, 'reference.json'), 'utf8')) as Reference;
}

/** Every tensor of a safetensors file as float32. */
export async function readTensors(...path: string[]): Promise<Map<string, Float32Array>> {
  const file = await openSafetensors(join(...path));
  const result = new Map<string, Float32Array>();
  try {
    for (const [name, { dtype }] of file.tensors) result.set(name, toFloat32(dtype, await file.read(name)));
  } finally {
    await file.close();
  }
  return result;
}

/**
 * An adapter's configuration, but for what depends on the place and the release. What is a set in PEFT is in order, and so are
 * the keys of a file.
 */
export function readConfig(folder: string): Record<string, unknown> {
  const config = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;
  const sorted = (value: unknown): unknown => (Array.isArray(value) ? [...(value as unknown[])].sort() : value);
  const sets = ['target_modules', 'exclude_modules'].map(key => [key, sorted(config[key])] as const);
  return { ...config, ...Object.fromEntries(sets), base_model_name_or_path: null, peft_version: null };
}

/** Written by PEFT with every adapter, and no option of ours. */
const bookkeeping = ['autoMapping', 'baseModelNameOrPath', 'fanInFanOut', 'inferenceMode', 'megatronCore', 'peftType', 'peftVersion', 'qaloraGroupSize', 'revision']; // prettier-ignore

/** Names as they are here. */
export function camelCased(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const camelCase = (key: string): string => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(options).map(([key, value]) => [camelCase(key), value]));
}

/** The options of an adapter as whoever comes from PEFT would write them: PEFT's names in camelCase, what is unset left out. */
export function peftOptions(folder: string): LoraOptions {
  const config = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;
  const isSet = (value: unknown): boolean =>
    typeof value === 'object' ? Object.keys(value ?? {}).length > 0 : value !== false;
  const options = Object.entries(camelCased(config)).filter(
    ([key, value]) => isSet(value) && !bookkeeping.includes(key),
  );
  return Object.fromEntries(options) as unknown as LoraOptions;
}

export function makeBatch({ inputIds, labels, attentionMask }: BatchReference): Batch {
  const make = (rows: number[][]): tf.Tensor => tf.tensor2d(rows, undefined, 'int32');
  const mask = attentionMask && { attentionMask: make(attentionMask) };
  return { inputIds: make(inputIds), labels: make(labels), ...mask };
}

/** Largest difference of two arrays. */
export function worstDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= worst)) worst = difference; // NaN counts as infinitely far
  }
  return worst;
}

/** Norm of the difference, relative to the norm of what is expected. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Infinity;
  let [difference, norm] = [0, 0];
  for (let i = 0; i < actual.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(norm), 1e-12);
}
