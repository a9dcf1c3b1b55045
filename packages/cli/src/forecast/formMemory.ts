import { bytesPerNumber } from '@dropbp/compose';
import { findTokenHead, activeEngine, type Model } from '@dropbp/core';
import { formOfWeight, type WeightsForm } from '@dropbp/models';
import { weightsForms } from '../flags/tables/modelFlags.ts';

/** Bytes of a model's weights in memory, in each form that `--weights` can give them. */
export function formMemory(model: Model): Readonly<Record<WeightsForm, number>> {
  const bytes = weightsForms.map(weights => {
    const all = [...model.parameters].map(([name, { size }]) => {
      return size * bytesPerNumber[formOfWeight(model, name, { weights })];
    });
    return [weights, Math.round(all.reduce((sum, size) => sum + size, 0))] as const;
  });
  return Object.fromEntries(bytes) as Record<WeightsForm, number>;
}

/** The forms that this backend can keep weights in and train with: packed weights are frozen. */
export function formsToTrainWith(model: Model, trained: ReadonlyMap<string, unknown>): WeightsForm[] {
  const head = findTokenHead(model);
  // What a tied head trains starts from the table of tokens.
  const startsFrom = (name: string): string =>
    head !== undefined && name === `${head.path}.weight` ? head.weight : name;
  const own = [...trained.keys()].map(startsFrom).filter(name => model.parameters.has(name));
  const canPack = packs();
  return weightsForms.filter(weights => {
    return weights === 'f32' || (canPack && own.every(name => formOfWeight(model, name, { weights }) === 'f32'));
  });
}

/** Whether the backend keeps weights in fewer bits: some of an engine's devices do not. */
function packs(): boolean {
  const tried = activeEngine()?.pack?.(Float32Array.of(1), [1, 1], 'f16', 1);
  tried?.dispose();
  return tried !== undefined;
}
