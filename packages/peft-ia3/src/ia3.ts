import { checkNumber, checkOptions, checkValue, problem, ranges, seededRandom } from '@dropbp/basics';
import { isAllLinear, type Adapter } from '@dropbp/core';
import { attachIa3 } from './attachIa3.ts';
import { ia3Config } from './ia3Config.ts';
import { ia3Layers, type ModuleNames } from './ia3Layers.ts';

/** What {@link ia3} takes. */
export interface Ia3Options {
  /**
   * The layers to adapt. A list: module names or their ends, `['k_proj', 'v_proj', 'down_proj']`. A string: a regular
   * expression that a whole module name matches, or `'all-linear'`. @defaultValue what PEFT takes for the architecture;
   * an error for one that it does not know
   */
  readonly targetModules?: ModuleNames;
  /**
   * Those of the targets whose inputs are scaled instead of their outputs, in the same way; `[]` for none. Both being
   * lists, this one is a part of `targetModules`. @defaultValue what PEFT takes for the architecture, as above
   */
  readonly feedforwardModules?: ModuleNames;
  /** Layers to leave out, in the same way. @defaultValue none */
  readonly excludeModules?: ModuleNames;
  /** `'default'`: all factors are one, so that nothing changes at first. `false`: normal, for tests. @defaultValue 'default' */
  readonly initialization?: 'default' | false;
  /** Seed of the first values, an integer. @defaultValue 0 */
  readonly seed?: number;
}

const known: readonly (keyof Ia3Options)[] = [
  'targetModules',
  'feedforwardModules',
  'excludeModules',
  'initialization',
  'seed',
];

/**
 * IA³: trains a factor for each output of some linear layers, and for each input of others, and nothing else.
 * Its files are those of Hugging Face PEFT.
 *
 * @throws Problem on options that are unknown or out of range; when attached, on targets that the model has not
 *
 * Source: Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", 2022,
 * and PEFT 0.21.
 *
 * @example
 * ```ts
 * const tuned = compose(model, ia3({ targetModules: ['k_proj', 'v_proj', 'down_proj'], feedforwardModules: ['down_proj'] }));
 * ```
 */
export function ia3(options: Ia3Options = {}): Adapter {
  checkOptions('peft-ia3', 'ia3()', options, known);
  const { targetModules, feedforwardModules, excludeModules, initialization = 'default', seed = 0 } = options;
  checkNames('targetModules', targetModules, ", or 'all-linear'");
  checkNames('feedforwardModules', feedforwardModules);
  checkNames('excludeModules', excludeModules);
  checkSubset(targetModules, feedforwardModules);
  checkValue('peft-ia3', 'initialization', initialization, v => ['default', false].includes(v), "'default' or false");
  checkNumber('peft-ia3', 'seed', seed, ranges.integer);
  return {
    name: 'ia3',
    attach(model) {
      const found = ia3Layers(model, { targetModules, feedforwardModules, excludeModules }, true);
      const random = seededRandom(seed);
      const first = (): number => (initialization === false ? random.normal() : 1);
      return attachIa3(model, found.layers, {
        values: ({ shape }) => Float32Array.from({ length: shape[0] * shape[1] }, first),
        config: () => ia3Config(model, found, excludeModules, initialization === 'default'),
      });
    },
  };
}

function checkNames(name: string, value: unknown, orElse = ''): void {
  const isNames = (v: unknown): boolean =>
    v === undefined ||
    typeof v === 'string' ||
    (Array.isArray(v) && v.every(entry => typeof entry === 'string' && entry !== ''));
  checkValue('peft-ia3', name, value, isNames, `a list of module names, or a regular expression as a string${orElse}`);
}

/** As in PEFT, which would not load the file. */
function checkSubset(targets: ModuleNames | undefined, feedforward: ModuleNames | undefined): void {
  if (targets === undefined || typeof targets === 'string' || isAllLinear(targets)) return;
  if (feedforward === undefined || typeof feedforward === 'string') return;
  const others = feedforward.filter(name => !targets.includes(name));
  if (others.length === 0) return;
  throw problem('peft-ia3', {
    what: 'feedforwardModules names what targetModules does not',
    got: others,
    expected: 'a part of the list targetModules, word for word',
  });
}
