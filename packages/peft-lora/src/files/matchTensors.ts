import { matchPeftTensors, PEFT_PREFIX, storedBases, type Model, type NamedArray, type StoredBase } from '@dropbp/core';
import type { LoraPlan, PlannedParameter } from '../plan/loraPlan.ts';

/** A file's tensors, by what they are for. */
export interface MatchedTensors {
  /** By parameter name. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Weights of the base that PEFT stored along: of an embedding or output layer that is adapted. */
  readonly base: readonly StoredWeight[];
}

/** A weight of the base in an adapter's file, with its values. */
export interface StoredWeight extends StoredBase {
  readonly array: NamedArray;
}

/**
 * Finds every parameter of the plan in a file, and a place for every tensor of the file. Names of older releases are known.
 *
 * @param configured - the base that the configuration names
 * @throws Problem with a report of what is missing, left over or misshapen, and the likely cause
 */
export function matchTensors(
  model: Model,
  { parameters, settings }: LoraPlan,
  tensors: ReadonlyMap<string, NamedArray>,
  configured: unknown,
): MatchedTensors {
  const expected = new Map<string, readonly number[]>();
  const optional = new Map<string, readonly number[]>();
  const planned = new Map<string, PlannedParameter>();
  for (const parameter of parameters) {
    const key = PEFT_PREFIX + parameter.key;
    expected.set(key, parameter.shape);
    planned.set(key, parameter);
    const { copies = [], original } = parameter;
    for (const copy of original === undefined ? copies : [...copies, original])
      optional.set(PEFT_PREFIX + copy, parameter.shape);
  }
  const bases = storedBases(model).filter(({ key }) => !expected.has(PEFT_PREFIX + key));
  for (const { key, weight } of bases) optional.set(PEFT_PREFIX + key, model.parameters.get(weight)!.shape);
  const named = new Map([...tensors].map(([key, tensor]) => [currentKey(key, expected), tensor]));
  for (const [key, { data }] of named) {
    const double = usedKey(key);
    if (double === undefined || !expected.has(PEFT_PREFIX + double.key)) continue;
    // The other is the module's that is not in use, or it holds the same.
    if (!double.isCopy || isSame(named.get(PEFT_PREFIX + double.key)?.data, data)) named.delete(key);
  }
  for (const { key, doubles = [] } of parameters) {
    for (const double of doubles) {
      if (isSame(named.get(PEFT_PREFIX + key)?.data, named.get(PEFT_PREFIX + double)?.data)) named.delete(PEFT_PREFIX + double); // prettier-ignore
    }
  }
  // PEFT after 0.7, 0.9 and 0.14 among them, left the biases of 'lora_only' out of its files: they are the model's again.
  const biases = parameters.filter(({ name, layer }) => layer === undefined && name.endsWith('.bias'));
  const biasKeys = biases.map(({ key }) => PEFT_PREFIX + key);
  if (settings.bias === 'lora_only' && !biasKeys.some(key => named.has(key))) {
    for (const key of biasKeys) expected.delete(key);
  }
  matchPeftTensors(named, {
    package: 'peft-lora',
    expected,
    optional,
    bases: { configured, actual: model.source },
    explain: (key, got, wanted) => explainShape(planned.get(key), got, wanted),
  });
  return {
    values: new Map(
      [...planned].flatMap(([key, { name }]) => (expected.has(key) ? [[name, named.get(key)!.data]] : [])),
    ),
    base: bases.flatMap(({ key, weight }) => {
      const array = named.get(PEFT_PREFIX + key);
      return array === undefined ? [] : [{ key, weight, array }];
    }),
  };
}

/** The name that PEFT has today for a tensor of an older release, or of a program that names them as in memory. */
function currentKey(key: string, expected: ReadonlyMap<string, unknown>): string {
  if (expected.has(key)) return key;
  const shorter = key.replace(/\.lora_magnitude_vector\.weight$/, '.lora_magnitude_vector');
  const longer = key.replace(/\.bias$/, '.base_layer.bias'); // before 0.7 an adapted layer had its bias itself
  return [shorter, longer].find(name => expected.has(name)) ?? key;
}

/**
 * PEFT stores some weights of saved modules three times: of the module, of its copy, and of what it stands for. These are biases with
 * bias 'all', and embedding and output layer of a model whose vocabulary was resized.
 */
function usedKey(key: string): { readonly key: string; readonly isCopy: boolean } | undefined {
  const found = /^(.*)\.(?:(original_module)|modules_to_save(?:\.default)?)\.(.*\b(?:bias|weight))$/.exec(
    key.slice(PEFT_PREFIX.length),
  );
  return found === null ? undefined : { key: `${found[1]!}.${found[3]!}`, isCopy: found[2] === undefined };
}

function isSame(a: Float32Array | undefined, b: Float32Array | undefined): boolean {
  return b !== undefined && a?.length === b.length && b.every((value, i) => value === a[i]);
}

function explainShape(
  parameter: PlannedParameter | undefined,
  got: readonly number[],
  wanted: readonly number[],
): string | undefined {
  if (parameter === undefined) {
    return `its vocabulary is ${got[0]!}, the model's ${wanted[0]!}, so resize the model's first: resizeTokenEmbeddings() does so`;
  }
  const { layer, name } = parameter;
  if (layer === undefined || !/\.lora_(embedding_)?[AB](\.weight)?$/.test(name)) return undefined;
  const stored = got[/_A(\.weight)?$/.test(name) ? 0 : 1];
  if (stored === layer.rank) return undefined;
  const source = layer.rankKey === undefined ? 'r' : `rank_pattern '${layer.rankKey}'`;
  return `its rank is ${stored!}, by ${source} it should be ${layer.rank}`;
}
