import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { activeEngine, type ModuleInfo, type PackedForm } from '@dropbp/core';
import type { Definition } from './architecture.ts';

/**
 * How the weights of linear layers are kept: `'f32'` as they are, `'f16'` in half the memory, `'int8'` in a quarter and with
 * faster products, `'int4'` (NF4) in a seventh. Norms, biases, embeddings and the head stay in float32.
 */
export type WeightsForm = 'f32' | PackedForm;

const forms: readonly string[] = ['f32', 'f16', 'int8', 'int4'] satisfies WeightsForm[];

/** @throws Problem for what is no form */
export function checkWeightsForm(subject: string, form: unknown): asserts form is WeightsForm {
  if (typeof form === 'string' && forms.includes(form)) return;
  throw problem('models', { what: `${subject}: weights is not usable`, got: form, expected: forms.join(', ') });
}

/**
 * Makes a weight in the wanted form. The caller owns it.
 *
 * @param values - those of the weight, which are not kept where it is packed
 */
export function makeWeight(
  definition: Definition,
  name: string,
  values: Float32Array,
  shape: readonly number[],
  form: WeightsForm,
): tf.Tensor {
  const inputAxis = form === 'f32' ? undefined : packedAxis(definition, name);
  if (form === 'f32' || inputAxis === undefined) return tf.tensor(values, [...shape], 'float32');
  const packed = activeEngine()?.pack?.(values, shape as [number, number], form, inputAxis);
  if (packed === undefined) warnOnce(form);
  return packed ?? tf.tensor(values, [...shape], 'float32');
}

/** The axis of the input features of a weight that may be packed. */
function packedAxis({ modules, head }: Definition, name: string): 0 | 1 | undefined {
  const at = name.lastIndexOf('.');
  const path = name.slice(0, at);
  if (path === head.path || name.slice(at) !== '.weight') return undefined;
  const axes: Partial<Record<ModuleInfo['kind'], 0 | 1>> = { linear: 1, conv1d: 0 };
  return axes[modules.get(path)!.kind];
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
