import { problem } from '@dropbp/basics';
import { patternValue, selectModules, type Model, type ModuleInfo, type Pattern } from '@dropbp/core';
import type { LoraSettings } from './settings.ts';

/** One module that is adapted. */
export interface LoraLayer {
  readonly module: string;
  readonly kind: AdaptedKind;
  /** Of an embedding: its entries. */
  readonly inFeatures: number;
  /** Of an embedding: its width. */
  readonly outFeatures: number;
  readonly hasBias: boolean;
  readonly rank: number;
  /** The key of `rankPattern` that gave the rank. */
  readonly rankKey: string | undefined;
  readonly alpha: number;
  /** `alpha / rank`, with rsLoRA `alpha / √rank`: of the layer's own rank and alpha. */
  readonly scaling: number;
}

type AdaptedKind = Exclude<ModuleInfo['kind'], 'norm'>;
const kinds: readonly AdaptedKind[] = ['linear', 'conv1d', 'embedding'];

/**
 * The layers of a model that the settings adapt, in the model's order.
 *
 * @param complete - whether every part of the settings must have an effect
 * @throws Problem if the settings do not fit the model
 */
export function loraLayers(model: Model, settings: LoraSettings, complete: boolean): LoraLayer[] {
  const { rules, rank, alpha, useRslora, rankPattern, alphaPattern } = settings;
  const modules = selectModules(model.modules, rules, { package: 'peft-lora', kinds, complete });
  const unused = new Set([...keysOf('rankPattern', rankPattern), ...keysOf('alphaPattern', alphaPattern)]);
  const layers = modules.map((module): LoraLayer => {
    const ownRank = patternValue('peft-lora', 'rankPattern', rankPattern, module);
    const ownAlpha = patternValue('peft-lora', 'alphaPattern', alphaPattern, module);
    if (complete) {
      markUsed(unused, 'rankPattern', rankPattern, module);
      markUsed(unused, 'alphaPattern', alphaPattern, module);
    }
    const { kind, inFeatures, outFeatures, hasBias } = model.modules.get(module)!;
    const sizes = { inFeatures, outFeatures, hasBias };
    const layer = { rank: ownRank?.value ?? rank, rankKey: ownRank?.key, alpha: ownAlpha?.value ?? alpha };
    const scaling = layer.alpha / (useRslora ? Math.sqrt(layer.rank) : layer.rank);
    return { module, kind: kind as AdaptedKind, ...sizes, ...layer, scaling };
  });
  if (complete && unused.size > 0) {
    throw problem('peft-lora', {
      what: `${[...unused].join(', ')} matches no module that is adapted`,
      expected: 'the end of a module name at a dot, or a regular expression for it',
      fix: `adapted are ${modules.slice(0, 3).join(', ')}${modules.length > 3 ? ', …' : ''}`,
    });
  }
  checkBiases(layers, settings);
  return layers;
}

function checkBiases(layers: readonly LoraLayer[], { loraBias }: LoraSettings): void {
  const table = layers.find(({ kind }) => kind === 'embedding');
  if (!loraBias || table === undefined) return;
  throw problem('peft-lora', {
    what: `loraBias: the embedding '${table.module}' can have none`,
    expected: 'linear layers alone, as in PEFT',
    fix: 'name it in excludeModules',
  });
}

function keysOf(subject: string, pattern: Pattern): string[] {
  return Object.keys(pattern).map(key => `${subject} '${key}'`);
}

function markUsed(unused: Set<string>, subject: string, pattern: Pattern, module: string): void {
  for (const [key, value] of Object.entries(pattern)) {
    if (patternValue('peft-lora', subject, { [key]: value }, module)) unused.delete(`${subject} '${key}'`);
  }
}
