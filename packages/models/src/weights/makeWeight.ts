import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { activeEngine, type Model, type ModuleInfo, type PackedForm } from '@dropbp/core';
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

/**
 * Makes a weight in the wanted form. The caller owns it.
 *
 * @param values - those of the weight; they are given away
 */
export function makeWeight(
  definition: Definition,
  name: string,
  values: Float32Array,
  shape: readonly number[],
  forms: WeightForms,
): tf.Tensor {
  const place = packedPlace(definition, name);
  const form = formOfWeight(definition, name, forms);
  if (place === undefined || form === 'f32') return tf.tensor(values, [...shape], 'float32');
  const packed = activeEngine()?.pack?.(values, shape as [number, number], form, place.inputAxis, place.isTable);
  if (packed === undefined) warnOnce(form);
  return packed ?? tf.tensor(values, [...shape], 'float32');
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
  if (path === head.path || path === embedding) return { inputAxis: 1, isTable: true };
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
