import {
  isAllLinear,
  peftConfigReader,
  peftValues,
  shortestTargets,
  writePeftConfig,
  type Model,
  type PeftConfigRules,
  type PeftFiles,
  type Provenance,
} from '@dropbp/core';
import type { Ia3Layer, Ia3Layers, Ia3Settings, ModuleNames } from './ia3Layers.ts';

/** PEFT's `IA3Config`. Source: PEFT 0.21.2, `tuners/ia3/config.py`. */
const rules: PeftConfigRules = {
  package: 'peft-ia3',
  peftType: 'IA3',
  defaults: {
    exclude_modules: null,
    fan_in_fan_out: false,
    feedforward_modules: null,
    init_ia3_weights: true,
    modules_to_save: null,
    target_modules: null,
  },
  // fan_in_fan_out follows from the layer, as in PEFT.
  known: ['exclude_modules', 'fan_in_fan_out', 'feedforward_modules', 'init_ia3_weights', 'target_modules'],
  unsupported: { modules_to_save: 'whole modules are in the file' },
};

/** What an `adapter_config.json` says. */
export interface ReadConfig {
  readonly settings: Ia3Settings;
  readonly startsAtOne: boolean;
  readonly provenance: Provenance;
}

/** Reads PEFT's configuration. @throws Problem for what is not supported or not known */
export function readIa3Config(config: PeftFiles['config']): ReadConfig {
  const reader = peftConfigReader(config, rules);
  const names = 'module names, or a regular expression';
  return {
    settings: {
      targetModules: reader.optional('target_modules', peftValues.names, names),
      feedforwardModules: reader.optional('feedforward_modules', peftValues.names, names),
      excludeModules: reader.optional('exclude_modules', peftValues.names, names),
    },
    startsAtOne: reader.read('init_ia3_weights', peftValues.flag, 'true or false'),
    provenance: reader.provenance,
  };
}

/** The adapter as PEFT's configuration. */
export function ia3Config(
  model: Model,
  { layers, ...named }: Ia3Layers,
  excludeModules: Ia3Settings['excludeModules'],
  startsAtOne: boolean,
  provenance?: Provenance,
): PeftFiles['config'] {
  const { targetModules, feedforwardModules } = fitsPeft(named) ? named : exactNames(model, layers);
  return writePeftConfig(
    model,
    rules,
    {
      exclude_modules: fitsPeft(named) ? sortNames(excludeModules) : null,
      fan_in_fan_out: layers.every(({ kind }) => kind === 'conv1d'),
      feedforward_modules: sortNames(feedforwardModules),
      init_ia3_weights: startsAtOne,
      target_modules: sortNames(targetModules),
    },
    provenance,
  );
}

type Names = Pick<Ia3Layers, 'targetModules' | 'feedforwardModules'>;

/** PEFT loads no file whose feed-forward list names something that the list of targets does not. */
function fitsPeft({ targetModules, feedforwardModules }: Names): boolean {
  if (isAllLinear(targetModules)) return false;
  if (typeof targetModules === 'string' || typeof feedforwardModules === 'string') return true;
  return feedforwardModules.every(name => targetModules.includes(name));
}

function exactNames({ modules }: Model, layers: readonly Ia3Layer[]): Names {
  const namesOf = (isFeedforward: boolean): string[] =>
    shortestTargets(
      layers.filter(layer => layer.isFeedforward === isFeedforward).map(({ module }) => module),
      modules.keys(),
    );
  const feedforwardModules = namesOf(true);
  return { targetModules: [...namesOf(false), ...feedforwardModules], feedforwardModules };
}

function sortNames(names: ModuleNames | undefined): ModuleNames | null {
  return Array.isArray(names) ? [...(names as readonly string[])].sort() : (names ?? null);
}
