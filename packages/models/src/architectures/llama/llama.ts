import * as tf from '@tensorflow/tfjs';
import type { PassShape, Scope } from '@dropbp/core';
import { keyBiases } from '../../layers/keyBiases.ts';
import { outerParts } from '../../layers/outerParts.ts';
import { placesOfTexts, positionRows } from '../../layers/positionRows.ts';
import { rotaryTables } from '../../layers/rope/rotaryTables.ts';
import type { Architecture, Definition } from '../architecture.ts';
import type { RawConfig } from '../configReader.ts';
import type { ModelLimits } from '../modelLimits.ts';
import { families } from './families.ts';
import { llamaBranches, normalizeBy } from './llamaBranches.ts';
import { llamaConfig, type LlamaConfig } from './llamaConfig.ts';
import { HEAD, llamaModules, NORM, TOKENS } from './llamaModules.ts';
import { storedMixture } from './mixture.ts';

/**
 * Llama and the models that vary it: blocks of attention with grouped heads and of an MLP, with norms in front of or behind each.
 * `families` says how each differs.
 *
 * Sources: Touvron et al., "LLaMA", 2023; the modelling files of transformers 5.24 for what each variant changes.
 */
export const llama: Architecture = {
  titles: Object.fromEntries(Object.entries(families).map(([type, { title }]) => [type, title])),
  define: defineLlama,
};

function defineLlama(raw: RawConfig, limits: ModelLimits): Definition {
  const c = llamaConfig(raw, limits);
  const window = c.layers.find(layer => layer.window !== undefined)?.window;
  const changesBeyond = Object.values(c.ropes).flatMap(({ changesBeyond }) => changesBeyond ?? []);
  return {
    architecture: c.architecture,
    hiddenSize: c.hiddenSize,
    vocabSize: c.vocabSize,
    maxPositions: Math.max(c.maxPositions, c.ropes.all.longest ?? 0),
    takesPositions: changesBeyond.length === 0,
    takesDividedTexts: changesBeyond.length === 0,
    ...(changesBeyond.length > 0 && { positionsChangeBeyond: Math.min(...changesBeyond) }),
    modules: llamaModules(c),
    branches: llamaBranches(c),
    className: c.className,
    prefix: 'model.',
    isBuffer: name => name.endsWith('rotary_emb.inv_freq'),
    ...(c.mixture && storedMixture(c.mixture, 'model.layers', [...c.layers.keys()], c.hiddenSize)),
    initialDeviation: () => c.initialDeviation,
    initialNorm: c.norm === 'rmsAroundOne' ? 0 : 1,
    ...outerParts(
      { tokens: TOKENS, norm: NORM, head: HEAD },
      c.isTied,
      (x, p) => normalizeBy(c, NORM, x, p),
      c.factors,
    ),
    shared: pass => ({ ...positionTensors(c, pass), ...keyBiases(pass, window) }),
  };
}

/** What the branches know of positions: tables of those schemes that a layer uses, and how much queries grow. */
function positionTensors(c: LlamaConfig, pass: PassShape): Scope {
  const uses = (name: 'all' | 'sliding'): boolean => c.layers.some(({ rotary }) => rotary === name);
  const tables: Record<string, tf.Tensor> = {};
  if (uses('all')) Object.assign(tables, rotaryTables(c.ropes.all, pass, c.ropeLayout));
  if (uses('sliding')) {
    const { cos, sin } = rotaryTables(c.ropes.sliding!, pass, c.ropeLayout);
    Object.assign(tables, { slidingCos: cos, slidingSin: sin });
  }
  if (c.queryGrowth !== undefined) tables.queryGrowth = growthOfQueries(c.queryGrowth, pass);
  return tables;
}

/** `1 + β · log(1 + ⌊position / length⌋)` for each token: `[rows, 1, time, 1]`. The caller owns it. */
function growthOfQueries(
  { beta, length }: NonNullable<LlamaConfig['queryGrowth']>,
  { offset = 0, time, positions, lanes }: PassShape,
): tf.Tensor {
  const rows = positionRows(offset, time);
  return tf.tidy(() => {
    const own = lanes?.positions ?? (positions && placesOfTexts(positions, time));
    const places: tf.Tensor = own === undefined ? tf.tensor2d(rows) : tf.cast(own, 'float32');
    const turns = tf.floor(tf.div(places, length));
    return tf.reshape(tf.add(tf.mul(tf.log1p(turns), beta), 1), [-1, 1, time, 1]);
  });
}
