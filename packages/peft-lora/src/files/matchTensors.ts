import { matchPeftTensors, PEFT_PREFIX, type Model, type NamedArray } from '@dropbp/core';
import type { LoraPlan, PlannedParameter } from '../plan/loraPlan.ts';

/** A file's tensors, by what they are for. */
export interface MatchedTensors {
  /** By parameter name. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Weights of the base that PEFT stored along: of an embedding or output layer that is adapted. */
  readonly base: readonly StoredBase[];
}

/** A weight of the base in an adapter's file. */
export interface StoredBase {
  /** The file's name for it, without the prefix. */
  readonly key: string;
  /** The model's name for it. */
  readonly weight: string;
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
  { parameters }: LoraPlan,
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
    if (parameter.copy !== undefined) optional.set(PEFT_PREFIX + parameter.copy, parameter.shape);
  }
  const bases = storedBases(model).filter(({ key }) => !expected.has(PEFT_PREFIX + key));
  for (const { key, weight } of bases) optional.set(PEFT_PREFIX + key, model.parameters.get(weight)!.shape);
  const named = new Map([...tensors].map(([key, tensor]) => [currentKey(key, expected), tensor]));
  matchPeftTensors(named, {
    room: 'peft-lora',
    expected,
    optional,
    bases: { configured, actual: model.source },
    explain: (key, got, wanted) => explainShape(planned.get(key), got, wanted),
  });
  return {
    values: new Map([...planned].map(([key, { name }]) => [name, named.get(key)!.data])),
    base: bases.flatMap(({ key, weight }) => {
      const array = named.get(PEFT_PREFIX + key);
      return array === undefined ? [] : [{ key, weight, array }];
    }),
  };
}

/** Where PEFT stores embedding and output layer along, when they are adapted or were resized. */
function storedBases({ embedding, head }: Model): Omit<StoredBase, 'array'>[] {
  const weights = [
    [embedding, `${embedding}.weight`],
    [head.path, head.weight],
  ] as const;
  return weights.flatMap(([module, weight]) =>
    ['base_layer.weight', 'weight'].map(part => ({ key: `${module}.${part}`, weight })),
  );
}

/** The name that PEFT has today for a tensor of an older release, or of a program that names them as in memory. */
function currentKey(key: string, expected: ReadonlyMap<string, unknown>): string {
  if (expected.has(key)) return key;
  const shorter = key.replace(/\.lora_magnitude_vector\.weight$/, '.lora_magnitude_vector');
  const longer = key.replace(/\.bias$/, '.base_layer.bias'); // before 0.7 an adapted layer had its bias itself
  return [shorter, longer].find(name => expected.has(name)) ?? key;
}

function explainShape(
  parameter: PlannedParameter | undefined,
  got: readonly number[],
  wanted: readonly number[],
): string | undefined {
  if (parameter === undefined) {
    return `its vocabulary is ${got[0]!}, the model's ${wanted[0]!}, so resize the model's first`;
  }
  const { layer, name } = parameter;
  if (layer === undefined || !/\.lora_(embedding_)?[AB](\.weight)?$/.test(name)) return undefined;
  const stored = got[/_A(\.weight)?$/.test(name) ? 0 : 1];
  if (stored === layer.rank) return undefined;
  const source = layer.rankKey === undefined ? 'r' : `rank_pattern '${layer.rankKey}'`;
  return `its rank is ${stored!}, by ${source} it should be ${layer.rank}`;
}
