import { nearNames, problem } from '@dropbp/basics';
import type { Model, NamedArray } from '@dropbp/core';
import type { LoraLayer } from './loraLayers.ts';
import { LORA_A, LORA_B, PREFIX } from './names.ts';

/** A file's tensors, by what they are for. */
export interface MatchedTensors {
  /** `<module>.lora_A.weight` and `<module>.lora_B.weight`. */
  readonly adapter: ReadonlyMap<string, NamedArray>;
  /** Weights of the base that PEFT stored along: of an embedding or output layer that is adapted. */
  readonly base: readonly StoredBase[];
}

/** A weight of the base in an adapter's file. */
export interface StoredBase {
  /** The file's name for it. */
  readonly key: string;
  /** The model's name for it. */
  readonly weight: string;
  readonly array: NamedArray;
}

/**
 * Finds every tensor of these layers in a file, and a place for every tensor of the file.
 *
 * @param configSource - the base that the configuration names
 * @throws Problem with a report of what is missing, left over or misshapen, and the likely cause
 */
export function matchTensors(
  model: Model,
  layers: readonly LoraLayer[],
  tensors: ReadonlyMap<string, NamedArray>,
  configSource: unknown,
): MatchedTensors {
  const expected = new Map<string, Expected>();
  for (const layer of layers) {
    const { module, rank, inFeatures, outFeatures } = layer;
    expected.set(`${PREFIX}${module}.${LORA_A}`, { shape: [rank, inFeatures], layer });
    expected.set(`${PREFIX}${module}.${LORA_B}`, { shape: [outFeatures, rank], layer });
  }
  const adapter = new Map<string, NamedArray>();
  const base: StoredBase[] = [];
  const unexpected: string[] = [];
  const misshapen: string[] = [];
  for (const [key, tensor] of tensors) {
    const wanted = expected.get(key) ?? storedBase(model, key);
    if (wanted === undefined) unexpected.push(key);
    else if (String(tensor.shape) !== String(wanted.shape)) misshapen.push(describeShape(key, tensor, wanted));
    else if (wanted.baseWeight !== undefined) base.push({ key, weight: wanted.baseWeight, array: tensor });
    else adapter.set(key.slice(PREFIX.length), tensor);
  }
  const missing = [...expected.keys()].filter(key => !tensors.has(key));
  if (missing.length + unexpected.length + misshapen.length === 0) return { adapter, base };

  const parts = [
    list('missing', missing, unexpected),
    list('not expected', unexpected, missing),
    list('of another shape', misshapen),
  ].filter(part => part !== '');
  const fits = adapter.size;
  throw problem('peft-lora', {
    what: `the adapter does not fit the model: ${fits} of its ${tensors.size} tensors match; ${parts.join('; ')}`,
    fix: likelyCause(model, expected, unexpected, misshapen.length > 0, configSource),
  });
}

interface Expected {
  readonly shape: readonly number[];
  readonly layer?: LoraLayer;
  /** The model's weight that the tensor stands for. */
  readonly baseWeight?: string;
}

/** PEFT stores embedding and output layer along when they are adapted or were resized. */
function storedBase(model: Model, key: string): Expected | undefined {
  for (const [module, weight] of [
    [model.embedding, `${model.embedding}.weight`],
    [model.head.path, model.head.weight],
  ] as const) {
    if (key !== `${PREFIX}${module}.base_layer.weight` && key !== `${PREFIX}${module}.weight`) continue;
    return { shape: model.parameters.get(weight)!.shape, baseWeight: weight };
  }
  return undefined;
}

function describeShape(key: string, { shape }: NamedArray, { shape: wanted, layer, baseWeight }: Expected): string {
  const sizes = `'${key}' is [${shape.join(', ')}], not [${wanted.join(', ')}]`;
  if (baseWeight !== undefined) {
    return `${sizes}: its vocabulary is ${shape[0]!}, the model's ${wanted[0]!}, so resize the model's first`;
  }
  const { rank, rankKey } = layer!;
  const stored = shape[key.endsWith(LORA_A) ? 0 : 1];
  if (stored === rank) return sizes;
  return `${sizes}: its rank is ${stored!}, by ${rankKey === undefined ? 'r' : `rank_pattern '${rankKey}'`} it should be ${rank}`;
}

function list(title: string, entries: readonly string[], others: readonly string[] = []): string {
  if (entries.length === 0) return '';
  const shown = entries.slice(0, 5).map(entry => {
    const [near] = nearNames(entry, others, 1);
    return near === undefined ? entry : `${entry} (near: ${near})`;
  });
  return `${entries.length} ${title}: ${shown.join(', ')}${entries.length > 5 ? ', …' : ''}`;
}

/** What most often leads to such a file. */
function likelyCause(
  model: Model,
  expected: ReadonlyMap<string, Expected>,
  unexpected: readonly string[],
  isMisshapen: boolean,
  configSource: unknown,
): string {
  const bases = `the adapter was made for ${JSON.stringify(configSource ?? null)}, the model is ${JSON.stringify(model.source)}`;
  const [first] = unexpected;
  if (first === undefined) {
    return isMisshapen ? bases : 'the configuration names more modules than the file holds, or the file is incomplete';
  }
  const named = /^(.*\.lora_[AB])\.([^.]+)\.weight$/.exec(first);
  if (named !== null) {
    return `its keys hold the adapter's name '${named[2]!}', which PEFT leaves out of files: save it with save_pretrained()`;
  }
  const other = /\.(ia3_l|adaption_prompt|lora_magnitude_vector|lora_embedding_[AB])\b|^prompt_embeddings$/.exec(first);
  if (other !== null) return `'${other[1] ?? first}' belongs to another method than the configuration says`;
  if (!/\.lora_[AB]\./.test(first)) return 'the file holds tensors that are no LoRA of linear layers';
  const module = first.slice(0, first.search(/\.lora_[AB]\./));
  const parts = module.split('.');
  for (const { layer } of expected.values()) {
    const wanted = layer!.module.split('.');
    const same = commonEnd(parts, wanted);
    if (same < Math.min(3, wanted.length)) continue;
    const begin = (names: readonly string[]): string => `'${names.slice(0, names.length - same).join('.')}'`;
    const names = `its names begin ${begin(parts)} where the model's begin ${begin([...prefixParts, ...wanted])}`;
    return `${names}: rename them, or use the model that it was made for (${bases})`;
  }
  return bases;
}

const prefixParts = PREFIX.slice(0, -1).split('.');

/** How many parts two names end in alike. */
function commonEnd(a: readonly string[], b: readonly string[]): number {
  let same = 0;
  while (same < Math.min(a.length, b.length) && a.at(-1 - same) === b.at(-1 - same)) same++;
  return same;
}
