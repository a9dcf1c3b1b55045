import type { NamedArray, Pattern } from '@dropbp/core';
import type { LoraValues } from './initialValues.ts';
import type { LoraLayer } from '../plan/loraLayers.ts';
import type { LoraSettings } from '../plan/settings.ts';

// An adapter whose first A and B were taken out of the base, as an ordinary one of the base as it was: what it adds is
// s·(B·A − B₀·A₀) = s·[B, −B₀]·[A; A₀]. Source: PEFT 0.21, `subtract_mutated_init`.

/** A and B of twice the rank. A layer of which nothing was taken is filled up with zeros. */
export function convertLayer(
  { rank, inFeatures, outFeatures }: LoraLayer,
  a: Float32Array,
  b: Float32Array,
  taken: LoraValues | undefined,
): { readonly a: NamedArray; readonly b: NamedArray } {
  const down = new Float32Array(2 * rank * inFeatures);
  down.set(a);
  if (taken !== undefined) down.set(taken.a, rank * inFeatures);
  const up = new Float32Array(outFeatures * 2 * rank);
  for (let row = 0; row < outFeatures; row++) {
    up.set(b.subarray(row * rank, (row + 1) * rank), row * 2 * rank);
    if (taken === undefined) continue;
    for (let i = 0; i < rank; i++) up[row * 2 * rank + rank + i] = -taken.b[row * rank + i]!;
  }
  return { a: { shape: [2 * rank, inFeatures], data: down }, b: { shape: [outFeatures, 2 * rank], data: up } };
}

/** Twice the rank, with an alpha that keeps each layer's scaling. */
export function convertSettings(settings: LoraSettings): LoraSettings {
  const growth = settings.useRslora ? Math.SQRT2 : 2;
  return {
    ...settings,
    rank: 2 * settings.rank,
    alpha: growth * settings.alpha,
    rankPattern: times(2, settings.rankPattern),
    alphaPattern: times(growth, settings.alphaPattern),
  };
}

function times(factor: number, pattern: Pattern): Pattern {
  return Object.fromEntries(Object.entries(pattern).map(([key, value]) => [key, factor * value]));
}
