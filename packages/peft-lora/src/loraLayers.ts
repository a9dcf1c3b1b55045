import { problem } from '@dropbp/basics';
import { patternValue, selectModules, type Model, type Pattern } from '@dropbp/core';
import type { LoraSettings } from './settings.ts';

/** One module that is adapted. */
export interface LoraLayer {
  readonly module: string;
  readonly kind: 'linear' | 'conv1d';
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly rank: number;
  /** The key of `rankPattern` that gave the rank. */
  readonly rankKey: string | undefined;
  readonly alpha: number;
  /** `alpha / rank`, with rsLoRA `alpha / √rank`: of the layer's own rank and alpha. */
  readonly scaling: number;
}

/**
 * The layers of a model that the settings adapt, in the model's order.
 *
 * @param complete - whether every part of the settings must have an effect
 * @throws Problem if the settings do not fit the model
 */
export function loraLayers(model: Model, settings: LoraSettings, complete: boolean): LoraLayer[] {
  const { rules, rank, alpha, useRslora, rankPattern, alphaPattern } = settings;
  const kinds = ['linear', 'conv1d'] as const;
  const modules = selectModules(model.modules, rules, { room: 'peft-lora', kinds, complete });
  const unused = new Set([...keysOf('rankPattern', rankPattern), ...keysOf('alphaPattern', alphaPattern)]);
  const layers = modules.map((module): LoraLayer => {
    const ownRank = patternValue('peft-lora', 'rankPattern', rankPattern, module);
    const ownAlpha = patternValue('peft-lora', 'alphaPattern', alphaPattern, module);
    markUsed(unused, 'rankPattern', rankPattern, module);
    markUsed(unused, 'alphaPattern', alphaPattern, module);
    const { kind, inFeatures, outFeatures } = model.modules.get(module)!;
    const layer = { rank: ownRank?.value ?? rank, rankKey: ownRank?.key, alpha: ownAlpha?.value ?? alpha };
    const scaling = layer.alpha / (useRslora ? Math.sqrt(layer.rank) : layer.rank);
    return { module, kind: kind as LoraLayer['kind'], inFeatures, outFeatures, ...layer, scaling };
  });
  if (complete && unused.size > 0) {
    throw problem('peft-lora', {
      what: `${[...unused].join(', ')} matches no module that is adapted`,
      expected: 'the end of a module name at a dot, or a regular expression for it',
      fix: `adapted are ${modules.slice(0, 3).join(', ')}${modules.length > 3 ? ', …' : ''}`,
    });
  }
  return layers;
}

function keysOf(subject: string, pattern: Pattern): string[] {
  return Object.keys(pattern).map(key => `${subject} '${key}'`);
}

function markUsed(unused: Set<string>, subject: string, pattern: Pattern, module: string): void {
  for (const [key, value] of Object.entries(pattern)) {
    if (patternValue('peft-lora', subject, { [key]: value }, module)) unused.delete(`${subject} '${key}'`);
  }
}
