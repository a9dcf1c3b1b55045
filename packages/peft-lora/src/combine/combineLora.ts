import { checkNumber, checkOptions, problem, ranges, type NumberRange } from '@dropbp/basics';
import { patternValue, PEFT_PREFIX, type Adapter, type NamedArray, type PeftFiles } from '@dropbp/core';
import { combineLayer, type CombinationType, type CombinedPart } from './combineLayer.ts';
import { peftFormat } from '../files/peftFormat.ts';
import { isRepeatable, readConfig, type ReadConfig } from '../files/readConfig.ts';

/** What {@link combineLora} takes: names are those of PEFT's `add_weighted_adapter`. */
export interface CombineLoraOptions {
  /** One number for each adapter; a negative one takes it away. */
  readonly weights: readonly number[];
  /**
   * - `'svd'`: the sum of the changes, by its largest singular values
   * - `'cat'`: the exact sum, of the sum of the ranks
   * - `'linear'`: A and B added each, of one rank: cheap, but products of different adapters come in
   * - `'magnitude_prune'`, `'ties'`, `'dare_linear'`, `'dare_ties'`: the same with entries left out (Yadav et al., "TIES-Merging",
   *   2023; Yu et al., "DARE", 2024), with `_svd` behind on the whole changes, then decomposed
   *
   * @defaultValue 'svd'
   */
  readonly combinationType?: CombinationType;
  /** Rank of a result of an `svd`. @defaultValue the largest rank of the adapters */
  readonly svdRank?: number;
  /** A quantile in (0, 1]: entries of the decomposed matrices are cut at it. @defaultValue nothing is cut */
  readonly svdClamp?: number;
  /** Share of the entries that pruning keeps, in (0, 1]. It must be given where there is some. */
  readonly density?: number;
  /** What `ties` elects signs by: the sum of values, or of signs. @defaultValue 'total' */
  readonly majoritySignMethod?: 'total' | 'frequency';
  /** Seed of `dare`, an integer. @defaultValue 0 */
  readonly seed?: number;
}

const types: readonly CombinationType[] = [
  ...['svd', 'cat', 'linear', 'magnitude_prune', 'ties', 'dare_linear', 'dare_ties'] as const, // prettier-ignore
  ...(['magnitude_prune_svd', 'ties_svd', 'dare_linear_svd', 'dare_ties_svd'] as const),
];

/**
 * Puts LoRA adapters of one base together into an ordinary one, as PEFT's `add_weighted_adapter`. A single adapter is weighted.
 * Trained modules, tokens and biases are taken over; two adapters that bring the same ones are refused. Unlike PEFT, the result
 * of adapters with rsLoRA has the scaling that it should have.
 *
 * @param adapters - files as `readAdapter` of `@dropbp/compose` gives them
 * @throws Problem on options that are not usable, and on adapters that cannot be put together: with DoRA, with a bias of B, or
 *   made with an initialisation that changed the base
 *
 * @example
 * ```ts
 * const files = [await readAdapter('french'), await readAdapter('medical')];
 * const tuned = compose(model, combineLora(files, { weights: [0.7, 0.3], combinationType: 'cat' }));
 * ```
 */
export function combineLora(adapters: readonly PeftFiles[], options: CombineLoraOptions): Adapter {
  return peftFormat.fromPeft(combineLoraFiles(adapters, options));
}

function combineLoraFiles(adapters: readonly PeftFiles[], options: CombineLoraOptions): PeftFiles {
  checkOptions('peft-lora', 'combineLora()', options, [
    ...['weights', 'combinationType', 'svdRank', 'svdClamp', 'density', 'majoritySignMethod', 'seed'],
  ]);
  checkCombination(adapters, options);
  const configs = adapters.map(({ config }) => readConfig(config));
  configs.forEach(checkCombinable);
  const { combinationType = 'svd', majoritySignMethod = 'total', density = 1, seed = 0 } = options;
  const type = adapters.length === 1 ? 'linear' : combinationType;
  const ranks = configs.map(({ settings }) =>
    Object.values(settings.rankPattern).reduce((most, rank) => Math.max(most, rank), settings.rank),
  );
  const rank = resultRank(type, ranks, options.svdRank);
  const layers = new Map<string, LayerParts>();
  const others = new Map<string, NamedArray>();
  adapters.forEach(({ tensors }, i) => {
    sortTensors(tensors, configs[i]!, options.weights[i]!, layers, others);
  });
  const tensors = new Map(others);
  for (const [module, { parts, kind, inFeatures, outFeatures }] of layers) {
    const layerOptions = { type, rank, density, majoritySignMethod, seed, svdClamp: options.svdClamp };
    const { a, b } = combineLayer(parts, inFeatures, outFeatures, layerOptions);
    tensors.set(`${PEFT_PREFIX}${module}.${kind.a}`, { shape: [rank, inFeatures], data: a });
    tensors.set(`${PEFT_PREFIX}${module}.${kind.b}`, { shape: [outFeatures, rank], data: b });
  }
  return { config: combinedConfig(adapters, rank, [...layers.keys()]), tensors };
}

/** What the adapters have of one layer. */
interface LayerParts {
  readonly kind: (typeof matrices)[number];
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly parts: CombinedPart[];
}

const matrices = [
  { a: 'lora_A.weight', b: 'lora_B.weight' },
  { a: 'lora_embedding_A', b: 'lora_embedding_B' },
] as const;

/** Puts an adapter's matrices to those of the same layers, and all else aside. */
function sortTensors(
  tensors: ReadonlyMap<string, NamedArray>,
  { settings }: ReadConfig,
  weight: number,
  layers: Map<string, LayerParts>,
  others: Map<string, NamedArray>,
): void {
  for (const [key, array] of tensors) {
    const kind = matrices.find(({ a, b }) => key.endsWith(`.${a}`) || key.endsWith(`.${b}`));
    if (kind === undefined) {
      const known = others.get(key);
      if (known !== undefined && !isEqual(known, array)) {
        throw problem('peft-lora', {
          what: `two adapters bring '${key}', each with its own values`,
          fix: 'such weights cannot be put together: leave one of the adapters out',
        });
      }
      others.set(key, array);
      continue;
    }
    if (!key.endsWith(`.${kind.a}`)) continue;
    const module = key.slice(PEFT_PREFIX.length, -kind.a.length - 1);
    const b = tensors.get(`${PEFT_PREFIX}${module}.${kind.b}`);
    if (b === undefined) throw problem('peft-lora', { what: `'${module}' has an A and no B`, got: key });
    const [rank, inFeatures] = array.shape as [number, number];
    const outFeatures = b.shape[0]!;
    const layer = layers.get(module) ?? { kind, inFeatures, outFeatures, parts: [] };
    if (layer.inFeatures !== inFeatures || layer.outFeatures !== outFeatures) {
      throw problem('peft-lora', {
        what: `the adapters are of different bases: '${module}' has another size in each`,
        got: [inFeatures, outFeatures],
        expected: `${layer.inFeatures}, ${layer.outFeatures}`,
      });
    }
    const { alpha, alphaPattern, useRslora } = settings;
    const own = patternValue('peft-lora', 'alphaPattern', alphaPattern, module)?.value ?? alpha;
    const scaling = own / (useRslora ? Math.sqrt(rank) : rank);
    layer.parts.push({ a: array.data, b: b.data, rank, weight, scaling });
    layers.set(module, layer);
  }
}

function isEqual(a: NamedArray, b: NamedArray): boolean {
  return String(a.shape) === String(b.shape) && a.data.every((value, i) => value === b.data[i]);
}

function resultRank(type: CombinationType, ranks: readonly number[], svdRank: number | undefined): number {
  if (type.endsWith('svd')) return svdRank ?? Math.max(...ranks);
  if (type === 'cat') return ranks.reduce((sum, rank) => sum + rank, 0);
  if (new Set(ranks).size === 1) return ranks[0]!;
  throw problem('peft-lora', {
    what: `combinationType '${type}' adds A and B of one rank`,
    got: ranks,
    expected: 'adapters of one rank',
    fix: "use 'cat' or 'svd'",
  });
}

/** The first adapter's configuration with the modules of all. */
function combinedConfig(adapters: readonly PeftFiles[], rank: number, modules: readonly string[]): PeftFiles['config'] {
  const configs = adapters.map(({ config }) => config);
  const saved = [...new Set(configs.flatMap(({ modules_to_save }) => (modules_to_save as string[] | null | undefined) ?? []))]; // prettier-ignore
  const one = (key: string, none: unknown): unknown => configs.map(config => config[key] ?? none).find(value => value !== none) ?? none; // prettier-ignore
  return {
    ...configs[0],
    ...combinedTargets(configs, modules),
    r: rank,
    lora_alpha: rank,
    rank_pattern: {},
    alpha_pattern: {},
    use_rslora: false,
    init_lora_weights: true,
    modules_to_save: saved.length === 0 ? null : saved,
    bias: one('bias', 'none'),
    trainable_token_indices: one('trainable_token_indices', null),
  };
}

/** The adapters' rules where they are alike, all names of plain lists, and otherwise every module by its whole name. */
function combinedTargets(configs: readonly PeftFiles['config'][], modules: readonly string[]): PeftFiles['config'] {
  const filters = ['exclude_modules', 'layers_to_transform', 'layers_pattern'] as const;
  const sortList = (value: unknown): unknown => (Array.isArray(value) ? [...(value as unknown[])].sort() : value);
  const rulesOf = (config: PeftFiles['config']): string =>
    JSON.stringify([config.target_modules, ...filters.map(key => config[key])].map(sortList));
  if (new Set(configs.map(rulesOf)).size === 1) return {};
  const lists = configs.map(({ target_modules }) => target_modules);
  const isFiltered = configs.some(config => filters.some(key => (config[key] ?? null) !== null));
  if (!isFiltered && lists.every(list => Array.isArray(list)))
    return { target_modules: [...new Set(lists.flat())].sort() };
  const unset = Object.fromEntries(filters.map(key => [key, null]));
  return { target_modules: [...modules].sort(), ...unset };
}

function checkCombinable({ settings, initialization }: ReadConfig): void {
  const refuse = (what: string, fix: string): never => {
    throw problem('peft-lora', { what: `an adapter ${what} cannot be combined with others`, fix });
  };
  if (settings.useDora) refuse('with DoRA', 'merge it into the base: its change depends on the weights');
  if (settings.loraBias) refuse('with a bias of B (loraBias)', 'merge it into the base');
  if (isRepeatable(initialization)) {
    refuse(
      `made with init_lora_weights '${initialization}'`,
      'load it, save it again as an ordinary one, and combine that',
    );
  }
}

function checkCombination(adapters: readonly PeftFiles[], options: CombineLoraOptions): void {
  const { weights, combinationType = 'svd', svdRank, svdClamp, density, majoritySignMethod, seed = 0 } = options;
  const wrong = (name: string, got: unknown, expected: string): Error =>
    problem('peft-lora', { what: `combineLora(): ${name} is not usable`, got, expected });
  if (adapters.length === 0) throw wrong('the list of adapters', [], 'at least one');
  const isWeights = Array.isArray(weights) && weights.length === adapters.length && weights.every(Number.isFinite);
  if (!isWeights) throw wrong('weights', weights, `${adapters.length} numbers, one for each adapter`);
  if (!types.includes(combinationType)) throw wrong('combinationType', combinationType, types.join(', '));
  if (svdRank !== undefined) checkNumber('peft-lora', 'svdRank', svdRank, ranges.count);
  if (svdClamp !== undefined) checkNumber('peft-lora', 'svdClamp', svdClamp, share);
  if (!Number.isInteger(seed)) throw wrong('seed', seed, 'an integer');
  if (majoritySignMethod !== undefined && !['total', 'frequency'].includes(majoritySignMethod)) {
    throw wrong('majoritySignMethod', majoritySignMethod, "'total' or 'frequency'");
  }
  const prunes = /^(magnitude|ties|dare)/.test(combinationType);
  if (prunes || density !== undefined) checkNumber('peft-lora', 'density', density, share, 'start with density: 0.5');
}

const share: NumberRange = { accepts: v => v > 0 && v <= 1, expected: 'a number in (0, 1]' };
