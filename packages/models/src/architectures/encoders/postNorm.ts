import type * as tf from '@tensorflow/tfjs';
import { activate, add, mergeHeads, splitHeads, type Branch, type Join, type ModuleInfo } from '@dropbp/core';
import { attend } from '../../layers/attend.ts';
import { fullAttentionFlops, linearFlops } from '../../layers/branchFlops.ts';
import { linearLayer } from '../../layers/linearLayer.ts';
import { moduleInfo } from '../../layers/moduleInfo.ts';
import { normLayer } from '../../layers/normLayer.ts';
import type { EncoderSizes } from './encoderSizes.ts';

/** What an architecture calls the modules of a layer, below the layer's path. */
export interface PostNormNames {
  /** `'encoder.layer'`, followed by the layer's number. */
  readonly layers: string;
  /** The modules that hold all others of each branch, with its norm apart. */
  readonly attention: readonly string[];
  readonly mlp: readonly string[];
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly output: string;
  readonly attentionNorm: string;
  readonly inner: string;
  readonly outer: string;
  readonly mlpNorm: string;
}

export const bertNames: PostNormNames = {
  layers: 'encoder.layer',
  attention: ['attention'],
  mlp: ['intermediate', 'output'],
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  output: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  inner: 'intermediate.dense',
  outer: 'output.dense',
  mlpNorm: 'output.LayerNorm',
};

/** The modules of all layers, in the order in which they run. */
export function postNormModules(names: PostNormNames, sizes: EncoderSizes): [string, ModuleInfo][] {
  const { hiddenSize, innerSize } = sizes;
  const square = moduleInfo.linear(hiddenSize, hiddenSize, true);
  const norm = moduleInfo.norm(hiddenSize, true);
  return blocksOf(names, sizes).flatMap((block): [string, ModuleInfo][] => [
    ...[names.query, names.key, names.value, names.output].map((name): [string, ModuleInfo] => [
      `${block}.${name}`,
      square,
    ]),
    [`${block}.${names.attentionNorm}`, norm],
    [`${block}.${names.inner}`, moduleInfo.linear(hiddenSize, innerSize, true)],
    [`${block}.${names.outer}`, moduleInfo.linear(innerSize, hiddenSize, true)],
    [`${block}.${names.mlpNorm}`, norm],
  ]);
}

/** The branches of an encoder whose norms stand behind them: `norm(x + f(x))`. */
export function postNormBranches(names: PostNormNames, sizes: EncoderSizes): Branch[] {
  const { hiddenSize, innerSize, heads, epsilon } = sizes;
  const [attention, mlp] = [attentionBranch(names, sizes), mlpBranch(names, sizes)];
  const [behindAttention, behindMlp] = [normJoin(names.attentionNorm, epsilon), normJoin(names.mlpNorm, epsilon)];
  return blocksOf(names, sizes).flatMap((block): Branch[] => [
    {
      path: `${block}.attention`,
      block,
      modules: names.attention,
      kind: 'attention',
      heads: { heads, kvHeads: heads, headSize: hiddenSize / heads },
      flops: shape => linearFlops(shape, 4 * hiddenSize * hiddenSize) + fullAttentionFlops(shape, hiddenSize),
      apply: attention,
      join: behindAttention,
    },
    {
      path: `${block}.mlp`,
      block,
      modules: names.mlp,
      kind: 'mlp',
      flops: shape => linearFlops(shape, 2 * hiddenSize * innerSize),
      apply: mlp,
      join: behindMlp,
    },
  ]);
}

function blocksOf({ layers }: PostNormNames, sizes: EncoderSizes): string[] {
  return Array.from({ length: sizes.layers }, (_, i) => `${layers}.${i}`);
}

function normJoin(norm: string, epsilon: number): Join {
  return { modules: [norm], apply: (stream, result, p) => normLayer(norm, add(stream, result), p, epsilon) };
}

function attentionBranch(names: PostNormNames, { heads }: EncoderSizes): Branch['apply'] {
  return (x, p, hooks, context) => {
    const project = (name: string, states: tf.Tensor): tf.Tensor =>
      splitHeads(linearLayer(name, states, p, hooks), heads);
    const queries = project(names.query, x);
    const keyValue = (states: tf.Tensor): { keys: tf.Tensor; values: tf.Tensor } => ({
      keys: project(names.key, states),
      values: project(names.value, states),
    });
    return attend(queries, keyValue(x), {
      ...{ name: 'attention', p, hooks, context, ahead: true, keyValue },
      output: gathered => linearLayer(names.output, mergeHeads(gathered), p, hooks),
    });
  };
}

function mlpBranch(names: PostNormNames, { activation }: EncoderSizes): Branch['apply'] {
  return (x, p, hooks) =>
    linearLayer(names.outer, activate(linearLayer(names.inner, x, p, hooks), activation), p, hooks);
}
