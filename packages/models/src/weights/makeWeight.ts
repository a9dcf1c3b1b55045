import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { activeEngine, findTokenHead, type Model, type ModuleInfo, type PackedForm } from '@dropbp/core';
import type { Rows } from '@dropbp/safetensors';
import type { Definition } from '../architectures/architecture.ts';

/**
 * How the weights of linear layers are kept: `'f32'` as they are, `'f16'` in half the memory, `'int8'` in a quarter and with
 * faster products, `'int4'` in a seventh: blocks of 32 with a scale and a zero point each, which keep what a GGUF file in Q4_0, Q4_1 or
 * Q4_K holds nearly as it is. Norms and biases stay in float32; for embeddings see {@link EmbeddingsForm}.
 */
export type WeightsForm = 'f32' | Exclude<PackedForm, 'int6'>;

/**
 * How the table of tokens is kept, and the output layer, which is mostly the same: in few bits like the rest, or more exactly.
 * `'int8'` has a scale for every token and for every feature; `'int6'` and `'int4'` have blocks of 32 features.
 */
export type EmbeddingsForm = 'f32' | PackedForm;

/** How a model's weights are kept. */
export interface WeightForms {
  /** How the frozen weights of linear layers are kept; packed ones cannot be trained. @defaultValue 'f32' */
  readonly weights?: WeightsForm;
  /** How the table of tokens and the output layer are kept. @defaultValue as `weights`; 'int6' where that is 'int4' */
  readonly embeddings?: EmbeddingsForm;
}

const forms: Readonly<Record<keyof WeightForms, readonly string[]>> = {
  weights: ['f32', 'f16', 'int8', 'int4'] satisfies WeightsForm[],
  embeddings: ['f32', 'f16', 'int8', 'int6', 'int4'] satisfies EmbeddingsForm[],
};

/** @throws Problem for what is no form */
export function checkWeightForms(subject: string, options: WeightForms): void {
  for (const [name, allowed] of Object.entries(forms)) {
    const form: unknown = options[name as keyof WeightForms];
    if (form === undefined || (typeof form === 'string' && allowed.includes(form))) continue;
    throw problem('models', { what: `${subject}: ${name} is not usable`, got: form, expected: allowed.join(', ') });
  }
}

/** Asks for rows of a weight, or for all of it, and returns the tensor, which the caller owns. What it gets is given away. */
export type Making = Generator<Rows | undefined, tf.Tensor, Float32Array>;

/** Numbers that are read at a time: few beside a model, and many beside the work of asking for them. */
export const AT_A_TIME: number = 2 ** 20;

/** Makes a weight in the wanted form. Of one that is packed, a few rows exist in float32 at a time. */
export function* makeWeight(
  definition: Definition,
  name: string,
  shape: readonly number[],
  forms: WeightForms,
): Making {
  const place = packedPlace(definition, name);
  const form = formOfWeight(definition, name, forms);
  if (place === undefined || form === 'f32') return tf.tensor(yield undefined, [...shape], 'float32');
  const [rows, columns] = shape as [number, number];
  const packer = activeEngine()?.beginPack?.([rows, columns], form, place.inputAxis, place.isTable);
  if (packer === undefined) {
    warnOnce(form);
    return tf.tensor(yield undefined, [...shape], 'float32');
  }
  const step = Math.max(1, Math.floor(AT_A_TIME / columns));
  for (let round = 1; round <= packer.rounds; round++) {
    for (let row = 0; row < rows; row += step) packer.add(yield [row, Math.min(row + step, rows)]);
  }
  return packer.finish();
}

/** The form that a weight of a model is to be kept in, by its name: what a backend can do decides whether it is. */
export function formOfWeight(
  model: Pick<Model, 'modules' | 'head' | 'embedding'>,
  name: string,
  { weights = 'f32', embeddings }: WeightForms,
): EmbeddingsForm {
  const place = packedPlace(model, name);
  if (place === undefined) return 'f32';
  // A table bears four bits worst: every token is a row of its own, and the output layer's errors are the loss's.
  return place.isTable ? (embeddings ?? (weights === 'int4' ? 'int6' : weights)) : weights;
}

/** Of a weight that may be packed: the axis of the input features, and whether it is a table of tokens or the output layer. */
interface PackedPlace {
  readonly inputAxis: 0 | 1;
  readonly isTable: boolean;
}

function packedPlace(
  { modules, head, embedding }: Pick<Model, 'modules' | 'head' | 'embedding'>,
  name: string,
): PackedPlace | undefined {
  const at = name.lastIndexOf('.');
  const path = name.slice(0, at);
  if (name.slice(at) !== '.weight') return undefined;
  if (path === findTokenHead({ head })?.path || path === embedding) return { inputAxis: 1, isTable: true };
  const axes: Partial<Record<ModuleInfo['kind'], 0 | 1>> = { linear: 1, conv1d: 0 };
  const inputAxis = axes[modules.get(path)!.kind];
  return inputAxis === undefined ? undefined : { inputAxis, isTable: false };
}

let hasWarned = false;

function warnOnce(form: PackedForm): void {
  if (hasWarned) return;
  hasWarned = true;
  // eslint-disable-next-line no-console -- the one thing that reaches a user in Node and in browsers; the model works all the same
  console.warn(
    `[@dropbp/models] the backend '${tf.getBackend()}' cannot keep weights as ${form}: they are kept as f32. Use @dropbp/tfjs-backend-ort on a CPU for less memory.`,
  );
}
