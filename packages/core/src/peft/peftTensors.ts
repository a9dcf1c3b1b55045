import type * as tf from '@tensorflow/tfjs';
import { nearNames, problem } from '@dropbp/basics';
import type { NamedArray } from '../contract/adapter.ts';
import type { Model } from '../contract/model.ts';
import { findTokenHead } from '../run/head/tokenHead.ts';
import { disposedProblem } from '../run/lifetime.ts';

/** What PEFT puts before a module's path. */
export const PEFT_PREFIX = 'base_model.model.';

/** Options of {@link matchPeftTensors}. */
export interface MatchOptions {
  /** The package that speaks in errors. */
  readonly package: string;
  /** Every tensor that the configuration and the model ask for, by the file's name, with its shape. */
  readonly expected: ReadonlyMap<string, readonly number[]>;
  /** What the file may hold besides, with its shape. @defaultValue nothing */
  readonly optional?: ReadonlyMap<string, readonly number[]>;
  /** The base that the configuration names, and the one at hand: for messages. */
  readonly bases: { readonly configured: unknown; readonly actual: string };
  /** What a misshapen tensor says of its cause. @defaultValue nothing */
  readonly explain?: (name: string, got: readonly number[], expected: readonly number[]) => string | undefined;
}

/** The last parts of the names that the methods of PEFT give their tensors, and those methods. */
const methodOf: Readonly<Record<string, string>> = {
  lora_A: 'LORA',
  lora_B: 'LORA',
  lora_embedding_A: 'LORA',
  lora_embedding_B: 'LORA',
  lora_magnitude_vector: 'LORA',
  ia3_l: 'IA3',
  adaption_prompt: 'ADAPTION_PROMPT',
  adaption_gate: 'ADAPTION_PROMPT',
  prompt_embeddings: 'PREFIX_TUNING, PROMPT_TUNING or P_TUNING',
};

/**
 * Compares an adapter file with what is expected of it.
 *
 * @throws Problem with a report of what is missing, left over or misshapen, and the likely cause; for a file without
 *   tensors; for an empty tensor; and for values that are NaN or infinite
 */
export function matchPeftTensors(tensors: ReadonlyMap<string, NamedArray>, options: MatchOptions): void {
  const { package: packageName, expected, optional = new Map<string, readonly number[]>(), explain } = options;
  checkPeftTensors(packageName, tensors);
  const missing = [...expected.keys()].filter(name => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter(name => !expected.has(name) && !optional.has(name));
  const misshapen = [...tensors].flatMap(([name, { shape }]) => {
    const wanted = expected.get(name) ?? optional.get(name);
    if (wanted === undefined || String(wanted) === String(shape)) return [];
    const cause = explain?.(name, shape, wanted);
    return [`'${name}' is [${shape.join(', ')}], not [${wanted.join(', ')}]${cause === undefined ? '' : `: ${cause}`}`];
  });
  if (missing.length + unexpected.length + misshapen.length === 0) return;
  const parts = [
    list('missing', missing, unexpected),
    list('not expected', unexpected, missing),
    list('of another shape', misshapen, []),
  ].filter(part => part !== '');
  const fits = tensors.size - unexpected.length - misshapen.length;
  throw problem(packageName, {
    what: `the adapter does not fit the model: ${fits} of its ${tensors.size} tensors match; ${parts.join('; ')}`,
    fix: likelyCause(unexpected, misshapen.length > 0, options),
  });
}

/**
 * What an adapter file must hold whatever model it is for.
 *
 * @param packageName - the package that speaks in errors
 * @throws Problem for a file without tensors, for an empty tensor, and for values that are NaN or infinite
 */
export function checkPeftTensors(packageName: string, tensors: ReadonlyMap<string, NamedArray>): void {
  const gathered = 'save it again: with weights spread over devices they must be gathered first';
  if (tensors.size === 0) throw problem(packageName, { what: 'the adapter file holds no tensors', fix: gathered });
  for (const [name, { shape, data }] of tensors) {
    if (data.length === 0) throw problem(packageName, { what: `'${name}' is empty`, got: shape, fix: gathered });
    const bad = countNonFinite(data);
    if (bad === 0) continue;
    throw problem(packageName, { what: `${bad} of the ${data.length} values of '${name}' are NaN or infinite` });
  }
}

/** A weight of the base in an adapter's file. */
export interface StoredBase {
  /** The file's name for it, without the prefix. */
  readonly key: string;
  /** The model's name for it. */
  readonly weight: string;
}

/** Where PEFT stores embedding and output layer along, when they are adapted or were resized. */
export function storedBases({ embedding, head }: Pick<Model, 'embedding' | 'head'>): StoredBase[] {
  const output = findTokenHead({ head });
  const weights = [
    [embedding, `${embedding}.weight`] as const,
    ...(output === undefined ? [] : [[output.path, output.weight] as const]),
  ];
  return weights.flatMap(([module, weight]) =>
    ['base_layer.weight', 'token_adapter.base_layer.weight', 'weight'].map(part => ({
      key: `${module}.${part}`,
      weight,
    })),
  );
}

function list(title: string, entries: readonly string[], others: readonly string[]): string {
  if (entries.length === 0) return '';
  const shown = entries.slice(0, 3).map(entry => {
    const [near] = nearNames(entry, others, 1);
    return near === undefined ? entry : `${entry} (near: ${near})`;
  });
  return `${entries.length} ${title}: ${shown.join(', ')}${entries.length > 3 ? ', …' : ''}`;
}

/**
 * For messages: the model that an adapter was made for, and the model that it is to fit.
 *
 * @param configured - `base_model_name_or_path` of its configuration, which may hold anything
 */
export function compareBases(configured: unknown, actual: string): string {
  const madeFor = typeof configured === 'string' ? JSON.stringify(configured) : 'a model without a name';
  return `the adapter was made for ${madeFor}, the model is ${JSON.stringify(actual)}`;
}

/** What most often leads to such a file. */
function likelyCause(
  unexpected: readonly string[],
  isMisshapen: boolean,
  { expected, bases: { configured, actual } }: MatchOptions,
): string {
  const bases = compareBases(configured, actual);
  const [first] = unexpected;
  if (first === undefined) {
    return isMisshapen ? bases : 'the configuration names more modules than the file holds, or the file is incomplete';
  }
  const parts = first.split('.');
  const methods = new Set([...expected.keys()].flatMap(name => name.split('.')));
  const foreign = parts.find(part => Object.hasOwn(methodOf, part) && !methods.has(part));
  if (foreign !== undefined) return `'${foreign}' is of ${methodOf[foreign]!}, which the configuration does not say`;
  // In memory PEFT puts the adapter's name at the end or before the last part.
  const adapterName = [-1, -2].find(at => expected.has(parts.toSpliced(at, 1).join('.')));
  if (adapterName !== undefined) {
    return `its keys hold the adapter's name '${parts.at(adapterName)!}', which PEFT leaves out of files: save it with save_pretrained()`;
  }
  for (const name of expected.keys()) {
    const wanted = name.split('.');
    const longest = wanted.length - (name.startsWith(PEFT_PREFIX) ? PEFT_PREFIX.split('.').length - 1 : 0);
    const same = Math.min(commonEnd(parts, wanted), longest);
    if (same < Math.min(4, longest)) continue;
    const begin = (parts: readonly string[]): string => parts.slice(0, parts.length - same).join('.');
    // Another number of blocks is another model, not another way to call them.
    if (withoutNumbers(begin(parts)) === withoutNumbers(begin(wanted))) return bases;
    const names = `its names begin '${begin(parts)}' where the model's begin '${begin(wanted)}'`;
    return `${names}: rename them, or use the model that it was made for (${bases})`;
  }
  return bases;
}

function withoutNumbers(name: string): string {
  return name.replaceAll(/\d+/g, '#');
}

/** How many parts two names end in alike. */
function commonEnd(a: readonly string[], b: readonly string[]): number {
  let same = 0;
  while (same < Math.min(a.length, b.length) && a.at(-1 - same) === b.at(-1 - same)) same++;
  return same;
}

/**
 * Parameters as a file stores them, read from the device.
 *
 * @param packageName - the package that speaks in errors
 * @throws Problem if one holds NaN or infinity, or was disposed
 */
export async function toNamedArrays(
  packageName: string,
  parameters: ReadonlyMap<string, tf.Tensor>,
): Promise<Map<string, NamedArray>> {
  const arrays = [...parameters].map(async ([name, parameter]): Promise<[string, NamedArray]> => {
    if (parameter.isDisposed) throw disposedProblem(packageName, name);
    const data = (await parameter.data()) as Float32Array;
    const bad = countNonFinite(data);
    if (bad === 0) return [name, { shape: parameter.shape, data }];
    throw problem(packageName, {
      what: `'${name}' is not saved: ${bad} of its ${data.length} values are NaN or infinite`,
      fix: 'training diverged: go back to an earlier checkpoint, with a lower learning rate or gradient clipping',
    });
  });
  return new Map(await Promise.all(arrays));
}

/** The same for a file of PEFT: its name of a parameter is {@link PEFT_PREFIX} and the parameter's own. */
export async function toPeftTensors(
  packageName: string,
  parameters: ReadonlyMap<string, tf.Tensor>,
): Promise<Map<string, NamedArray>> {
  const arrays = await toNamedArrays(packageName, parameters);
  return new Map([...arrays].map(([name, array]) => [PEFT_PREFIX + name, array]));
}

/** How many values are NaN or infinite. */
function countNonFinite(values: Float32Array): number {
  let count = 0;
  for (const value of values) if (!Number.isFinite(value)) count++;
  return count;
}
