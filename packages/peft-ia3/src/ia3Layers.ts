import { problem } from '@dropbp/basics';
import { matchesTarget, selectModules, type Model } from '@dropbp/core';
import { defaultModules } from './defaultModules.ts';

/** Names of modules or their ends, or a regular expression for whole names. */
export type ModuleNames = string | readonly string[];

/** What an adapter is made from, whether options or a file said so. Undefined: what PEFT chooses. */
export interface Ia3Settings {
  readonly targetModules: ModuleNames | undefined;
  readonly feedforwardModules: ModuleNames | undefined;
  readonly excludeModules: ModuleNames | undefined;
}

/** One module that is adapted. */
export interface Ia3Layer {
  readonly module: string;
  readonly kind: 'linear' | 'conv1d';
  readonly hasBias: boolean;
  /** Whether the inputs are scaled; otherwise the outputs are. */
  readonly isFeedforward: boolean;
  /** Of the factors, as in PEFT: `[1, inFeatures]` or `[outFeatures, 1]`. */
  readonly shape: readonly [number, number];
}

/** The layers of a model, and the rules that named them. */
export interface Ia3Layers {
  readonly layers: readonly Ia3Layer[];
  readonly targetModules: ModuleNames;
  readonly feedforwardModules: ModuleNames;
}

/**
 * The layers of a model that the settings adapt, in the model's order.
 *
 * @param complete - whether every part of the settings must have an effect
 * @throws Problem if the settings do not fit the model
 */
export function ia3Layers({ modules, architecture }: Model, settings: Ia3Settings, complete: boolean): Ia3Layers {
  const targetModules = settings.targetModules ?? defaultModules('targetModules', architecture);
  const feedforwardModules = settings.feedforwardModules ?? defaultModules('feedforwardModules', architecture);
  const rules = { targetModules, excludeModules: settings.excludeModules };
  const isOwn = complete && settings.targetModules !== undefined;
  const selected = selectModules(modules, rules, { package: 'peft-ia3', kinds: ['linear', 'conv1d'], complete: isOwn });
  if (complete && settings.feedforwardModules !== undefined) checkUsed(feedforwardModules, selected);
  const layers = selected.map((module): Ia3Layer => {
    const { kind, hasBias, inFeatures, outFeatures } = modules.get(module)!;
    const isFeedforward = isNamed(module, feedforwardModules);
    const shape = isFeedforward ? ([1, inFeatures] as const) : ([outFeatures, 1] as const);
    return { module, kind: kind as Ia3Layer['kind'], hasBias, isFeedforward, shape };
  });
  return { layers, targetModules, feedforwardModules };
}

/** As PEFT has it: unlike targets, an entry is the end of a name at any place, not at a dot alone. */
function isNamed(module: string, names: ModuleNames): boolean {
  if (typeof names === 'string') return matchesTarget('peft-ia3', module, { targetModules: names });
  return names.some(name => module.endsWith(name));
}

function checkUsed(feedforwardModules: ModuleNames, selected: readonly string[]): void {
  const entries = typeof feedforwardModules === 'string' ? [feedforwardModules] : feedforwardModules;
  const idle = entries.filter(entry => {
    const names = typeof feedforwardModules === 'string' ? entry : [entry];
    return !selected.some(module => isNamed(module, names));
  });
  if (idle.length === 0) return;
  throw problem('peft-ia3', {
    what: `feedforwardModules: ${idle.map(entry => `'${entry}'`).join(', ')} is none of the modules that are adapted`,
    expected: 'modules that targetModules names too',
    fix: `adapted are ${selected.slice(0, 3).join(', ')}${selected.length > 3 ? ', …' : ''}`,
  });
}
