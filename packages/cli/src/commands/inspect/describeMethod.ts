/** A configuration as `adapter_config.json` has it. */
type Config = Readonly<Record<string, unknown>>;

/** What an adapter's method does, and what its configuration says, in words. */
export interface MethodDescription {
  /** `'LoRA: low-rank changes of linear layers'`. */
  readonly title: string;
  /** What was chosen, without what is as usual. */
  readonly settings: readonly (readonly [name: string, value: string])[];
}

/** A setting: the key that it is read from, and how it is shown; undefined hides it. */
type Setting = readonly [name: string, key: string, show?: (value: unknown, config: Config) => string | undefined];

interface Method {
  readonly title: string;
  readonly settings: readonly Setting[];
}

const where: readonly Setting[] = [
  ['targets', 'target_modules', names],
  ['left out', 'exclude_modules', names],
  ['layers', 'layers_to_transform', names],
];
const trainedAlong: readonly Setting[] = [['modules saved whole', 'modules_to_save', names]];
const inFront: readonly Setting[] = [
  ['virtual tokens', 'num_virtual_tokens'],
  ['made for', 'num_layers', modelSizes],
];

const methods: Readonly<Record<string, Method>> = {
  LORA: {
    title: 'LoRA: low-rank changes of layers',
    settings: [
      ['rank', 'r'],
      ['other ranks', 'rank_pattern', pattern],
      ['alpha', 'lora_alpha'],
      ['other alphas', 'alpha_pattern', pattern],
      ['scaling', 'lora_alpha', scaling],
      ['dropout', 'lora_dropout', nonZero],
      ['DoRA', 'use_dora', flag('each output has a magnitude of its own')],
      ['biases trained', 'bias', value => (value === 'none' ? undefined : text(value))],
      ['bias of B', 'lora_bias', flag('yes')],
      ['started from', 'init_lora_weights', value => (value === true ? undefined : text(value))],
      ...where,
      ...trainedAlong,
      ['tokens trained', 'trainable_token_indices', tokenCounts],
    ],
  },
  IA3: {
    title: 'IA³: a factor for each output of layers, or for each input',
    settings: [...where, ['inputs scaled of', 'feedforward_modules', names], ...trainedAlong],
  },
  PREFIX_TUNING: {
    title: 'prefix tuning: keys and values in front of every sequence, in every attention branch',
    settings: [
      ...inFront,
      ['made by', 'prefix_projection', (value, { encoder_hidden_size }) => (value === true ? `a network of width ${text(encoder_hidden_size)}, which the file does not hold` : undefined)], // prettier-ignore
      ['started from', 'init_weights'],
      ...trainedAlong,
    ],
  },
  PROMPT_TUNING: {
    title: 'prompt tuning: virtual tokens in front of every sequence',
    settings: [...inFront, ['started from', 'prompt_tuning_init', promptStart], ...trainedAlong],
  },
  P_TUNING: {
    title: 'P-tuning: virtual tokens in front of every sequence, made by a network',
    settings: [
      ...inFront,
      ['made by', 'encoder_reparameterization_type', (value, { encoder_hidden_size }) => `an ${text(value)} of width ${text(encoder_hidden_size)}, which the file does not hold`], // prettier-ignore
      ...trainedAlong,
    ],
  },
  ADAPTION_PROMPT: {
    title: 'LLaMA-Adapter: tokens that upper attention branches look at, behind a gate',
    settings: [
      ['virtual tokens', 'adapter_len'],
      ['layers, from the top', 'adapter_layers'],
      ['targets', 'target_modules', names],
    ],
  },
};

/** Keys that say nothing of what the adapter computes. */
const about: readonly string[] = [
  ...[
    'auto_mapping',
    'base_model_name_or_path',
    'inference_mode',
    'peft_type',
    'peft_version',
    'revision',
    'task_type',
  ],
];

/** Describes a configuration of any method. Of one that is not known, what is set. */
export function describeMethod(config: Config): MethodDescription {
  const type = typeof config.peft_type === 'string' ? config.peft_type : 'unknown';
  const method = Object.hasOwn(methods, type) ? methods[type]! : undefined;
  if (method === undefined) {
    const set = Object.entries(config).filter(([key, value]) => !about.includes(key) && isSet(value));
    return {
      title: type,
      settings: set.map(([key, value]) => [key, text(value)] as const),
    };
  }
  const settings = method.settings.flatMap(([name, key, show = text]): [string, string][] => {
    const value = config[key];
    const shown = isSet(value) ? show(value, config) : undefined;
    return shown === undefined ? [] : [[name, shown]];
  });
  return { title: method.title, settings };
}

function isSet(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return value !== undefined && value !== null;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Names in order, or a regular expression. */
function names(value: unknown): string {
  return Array.isArray(value) ? (value as unknown[]).map(text).sort().join(', ') : text(value);
}

function pattern(value: unknown): string {
  return Object.entries(value as object).map(([key, each]) => `${key}: ${text(each)}`).join(', '); // prettier-ignore
}

function nonZero(value: unknown): string | undefined {
  return value === 0 ? undefined : text(value);
}

function flag(shown: string): (value: unknown) => string | undefined {
  return value => (value === true ? shown : undefined);
}

function scaling(alpha: unknown, { r, use_rslora }: Config): string | undefined {
  if (typeof alpha !== 'number' || typeof r !== 'number') return undefined;
  const [factor, rule] =
    use_rslora === true ? [alpha / Math.sqrt(r), 'alpha / √rank (rsLoRA)'] : [alpha / r, 'alpha / rank'];
  return `${Number(factor.toPrecision(4))} = ${rule}`;
}

function tokenCounts(value: unknown): string {
  if (Array.isArray(value)) return `${value.length} rows of the embedding`;
  return Object.entries(value as object).map(([name, rows]) => `${(rows as unknown[]).length} rows of ${name}`).join(', '); // prettier-ignore
}

function modelSizes(layers: unknown, { num_attention_heads, token_dim }: Config): string {
  return `${text(layers)} layers, ${text(num_attention_heads ?? null)} heads, tokens of width ${text(token_dim ?? null)}`;
}

function promptStart(value: unknown, { prompt_tuning_init_text }: Config): string | undefined {
  if (value === 'RANDOM') return undefined;
  return value === 'TEXT' ? `the text ${JSON.stringify(prompt_tuning_init_text)}` : 'tokens of the vocabulary';
}
