import { isObject, problem } from '@dropbp/basics';
import { flagName } from '../flags/flagName.ts';
import { methodFlags, methodsOfFlag, type MethodFlag, type MethodName } from '../flags/tables/methodFlags.ts';

type Values = ReadonlyMap<string, unknown>;

const methods: Readonly<Record<string, MethodName>> = {
  LORA: 'lora',
  IA3: 'ia3',
  PREFIX_TUNING: 'prefix-tuning',
  PROMPT_TUNING: 'prompt-tuning',
  P_TUNING: 'p-tuning',
  ADAPTION_PROMPT: 'llama-adapter',
};

/** What PEFT's configuration calls the options of methods that a saved adapter keeps. */
const peftKeys: Partial<Readonly<Record<MethodFlag, string>>> = {
  targetModules: 'target_modules',
  excludeModules: 'exclude_modules',
  rank: 'r',
  alpha: 'lora_alpha',
  dropout: 'lora_dropout',
  useRslora: 'use_rslora',
  useDora: 'use_dora',
  layersToTransform: 'layers_to_transform',
  layersPattern: 'layers_pattern',
  rankPattern: 'rank_pattern',
  alphaPattern: 'alpha_pattern',
  bias: 'bias',
  loraBias: 'lora_bias',
  modulesToSave: 'modules_to_save',
  trainableTokenIndices: 'trainable_token_indices',
  ensureWeightTying: 'ensure_weight_tying',
  feedforwardModules: 'feedforward_modules',
  numVirtualTokens: 'num_virtual_tokens',
  adapterLen: 'adapter_len',
  adapterLayers: 'adapter_layers',
};

/** Options of the optimiser, which a saved adapter knows nothing of. */
const ofOptimizer: readonly string[] = ['loraplusLrRatio', 'loraplusLrEmbedding'];

/**
 * The method of an adapter and its options, as flags.
 *
 * @param config - `adapter_config.json`, which can be loaded
 */
export function flagsOfAdapter(config: Readonly<Record<string, unknown>>): Values {
  const adapter = methods[String(config.peft_type)];
  if (adapter === undefined) {
    throw problem('cli', {
      what: 'an adapter of this method is not trained on by the command',
      got: config.peft_type,
      expected: Object.keys(methods).join(', '),
    });
  }
  const values = (Object.entries(peftKeys) as [MethodFlag, string][])
    .filter(([flag]) => methodsOfFlag[flag].includes(adapter))
    .map(([flag, key]): [string, unknown] => [flag, valueOf(config[key], flag)])
    .filter(([, value]) => value !== undefined);
  return new Map<string, unknown>([['adapter', adapter], ...values]);
}

/** A value of PEFT's as the flag has it; undefined for none, and for rows of several tables, which no flag can say. */
function valueOf(value: unknown, flag: MethodFlag): unknown {
  if (value === null || value === undefined) return undefined;
  const isList = flag === 'layersToTransform' || flag === 'layersPattern';
  if (isList && !Array.isArray(value)) return [value];
  if (flag === 'trainableTokenIndices' && !Array.isArray(value)) return undefined;
  if (isObject(value) && Object.keys(value).length === 0) return undefined;
  return Array.isArray(value) && value.length === 0 ? undefined : value;
}

/**
 * Compares flags with an adapter that training goes on from.
 *
 * @param given - the flags that stand somewhere, by key
 * @param own - those of the adapter: see {@link flagsOfAdapter}
 * @param name - of the adapter, for messages
 * @throws Problem for a flag that says something else, or that could only say how a new adapter starts
 */
export function checkAgreement(given: Values, own: Values, name: string): void {
  for (const key of Object.keys(methodFlags)) {
    const value = given.get(key);
    if (value === undefined || ofOptimizer.includes(key)) continue;
    const flag = methodFlags[key as keyof typeof methodFlags];
    const theirs = own.get(key) ?? flag.fallback;
    if (canonical(value) === canonical(theirs)) continue;
    const isOfStart = key !== 'adapter' && !Object.hasOwn(peftKeys, key);
    throw problem('cli', {
      what: isOfStart
        ? `${flagName(key)} has no effect with --from: values start as they are in ${name}`
        : `${flagName(key)} contradicts the adapter in ${name}, which --from goes on with`,
      got: value,
      ...(!isOfStart && { expected: theirs === undefined ? 'none' : JSON.stringify(theirs) }),
      fix: 'leave it out: the method and its options come from the adapter',
    });
  }
}

/** Names are a set: PEFT writes them in any order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return JSON.stringify([...(value as unknown[])].sort());
  if (isObject(value)) return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
  return String(value);
}
