import * as tf from '@tensorflow/tfjs';
import { add, forwardOnly, isTrainable, linear, type Hooks, type Scope } from '@dropbp/core';
import { doraNorms, rescale } from './dora.ts';
import { dropEntries, lowRank } from './lowRank.ts';
import { lowRankRows } from './lowRankRows.ts';
import * as names from '../plan/names.ts';
import { replaceColumns, replaceRows, type TokenRows } from './tokenRows.ts';

type Layer = (x: tf.Tensor) => tf.Tensor;

const shared = new Map<number, Hooks>();

/**
 * The hooks of every LoRA adapter with this dropout: one object, so that an engine compiles once for all of them. What a module
 * has follows from the names in its scope.
 */
export function hooksFor(dropout: number): Hooks {
  const known = shared.get(dropout);
  if (known !== undefined) return known;
  const hooks: Hooks = {
    linear(name, x, base, p) {
      const tokens = tokensOf(name, p);
      const y = adaptLinear(name, x, base, p, 1 - dropout);
      return tokens === undefined ? y : replaceColumns(y, x, tokens);
    },
    embedding(name, indices, base, p) {
      const tokens = tokensOf(name, p);
      const x = base(indices);
      return tokens === undefined ? adaptRows(name, indices, x, p) : replaceRows(x, indices, tokens);
    },
  };
  shared.set(dropout, hooks);
  return hooks;
}

function adaptLinear(name: string, x: tf.Tensor, base: Layer, p: Scope, keepRate: number): tf.Tensor {
  const a = p[`${name}.${names.LORA_A}`];
  if (a === undefined) return base(x);
  const b = p[`${name}.${names.LORA_B}`]!;
  const scaling = p[`${name}.${names.SCALING}`]!;
  const kept = p[`${name}.${names.KEPT}`];
  const magnitude = p[`${name}.${names.MAGNITUDE}`];
  const layer = withoutStart(name, base, p);
  if (magnitude === undefined) {
    return add(layer(x), lowRank(x, { a, b, scaling, kept, bias: p[`${name}.${names.LORA_BIAS}`] }, keepRate));
  }
  const bias = p[`${name}.bias`];
  const norms = forwardOnly(() => {
    const throughBase = bias === undefined ? layer(a) : tf.sub(layer(a), bias);
    return doraNorms({ squares: p[`${name}.${names.SQUARES}`]!, a, b, scaling, throughBase });
  });
  // As in PEFT: with dropout, the part of the layer that is scaled sees the thinned input too.
  const input = kept === undefined ? x : dropEntries(x, kept, keepRate);
  return rescale({
    base: layer(x),
    thinned: kept === undefined ? undefined : layer(input),
    change: lowRank(input, { a, b, scaling }, 1),
    magnitude,
    norms,
    bias,
    trainsBias: bias !== undefined && isTrainable(bias),
  });
}

/** The layer less what the initialisation took out of its weight. */
function withoutStart(name: string, base: Layer, p: Scope): Layer {
  const a = p[`${name}.${names.START_A}`];
  if (a === undefined) return base;
  const b = p[`${name}.${names.START_B}`]!;
  return x => add(base(x), linear(linear(x, a), b));
}

function adaptRows(name: string, indices: tf.Tensor, x: tf.Tensor, p: Scope): tf.Tensor {
  const a = p[`${name}.${names.EMBEDDING_A}`];
  if (a === undefined) return x;
  const b = p[`${name}.${names.EMBEDDING_B}`]!;
  const scaling = p[`${name}.${names.SCALING}`]!;
  const magnitude = p[`${name}.${names.MAGNITUDE}`];
  const change = lowRankRows(indices, { a, b, scaling });
  if (magnitude === undefined) return add(x, change);
  const norms = forwardOnly(() => {
    const throughBase = tf.matMul(a, p[`${name}.weight`]!);
    return doraNorms({ squares: p[`${name}.${names.SQUARES}`]!, a, b, scaling, throughBase });
  });
  return rescale({ base: x, change, magnitude, norms });
}

function tokensOf(name: string, p: Scope): TokenRows | undefined {
  const rows = p[`${name}.${names.ROWS}`];
  if (rows === undefined) return undefined;
  const rowNumbers = p[`${name}.${names.ROW_NUMBERS}`]!;
  return { rows, rowNumbers, rowIndices: p[`${name}.${names.ROW_INDICES}`]! };
}
