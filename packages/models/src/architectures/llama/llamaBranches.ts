import * as tf from '@tensorflow/tfjs';
import {
  activate,
  activateGate,
  joinLast,
  mergeHeads,
  rmsNorm,
  rope,
  scale,
  splitHeads,
  splitLast,
  withGradient,
  type Branch,
  type Hooks,
  type Scope,
} from '@dropbp/core';
import { attend } from '../../layers/attend.ts';
import { attentionFlops, linearFlops } from '../../layers/branchFlops.ts';
import { linearLayer } from '../../layers/linearLayer.ts';
import { normLayer } from '../../layers/normLayer.ts';
import type { BranchNorms, LlamaConfig, LlamaLayer } from './llamaConfig.ts';
import { attentionWidths, qkNormNames } from './llamaModules.ts';
import { mixtureWeights, runMixture } from './mixture.ts';

/** The norm of a model, of the name that it has in the scope. */
export function normalizeBy(
  { norm, epsilon }: Pick<LlamaConfig, 'norm' | 'epsilon'>,
  name: string,
  x: tf.Tensor,
  p: Scope,
): tf.Tensor {
  if (norm === 'layer' || norm === 'layerWithoutBias') return normLayer(name, x, p, epsilon);
  return rmsNorm(x, p[`${name}.weight`]!, epsilon, norm === 'rmsAroundOne' ? 1 : 0);
}

/** Attention and MLP of each block. */
export function llamaBranches(c: LlamaConfig): Branch[] {
  const { hiddenSize, heads, kvHeads, headSize, norms } = c;
  const mlp = withNorms(c, norms.mlp, (x, p, hooks) => runMlp(c, x, p, hooks));
  const mixture = c.mixture && withNorms(c, norms.mlp, runMixture(c.mixture, c.activation));
  const attentions = new Map<string, Branch['apply']>();
  const attentionOf = (layer: LlamaLayer): Branch['apply'] => {
    const key = JSON.stringify(layer);
    const apply = attentions.get(key) ?? withNorms(c, norms.attention, attentionOn(c, layer));
    attentions.set(key, apply);
    return apply;
  };
  const { queries, keys } = attentionWidths(c);
  const attentionWeights = hiddenSize * (2 * queries + 2 * keys);
  const mlpWeights = (c.mlp === 'ungated' ? 2 : 3) * hiddenSize * c.intermediateSize;
  return c.layers.flatMap((layer, i): Branch[] => {
    const block = `model.layers.${i}`;
    const mixed = c.mixture?.isIn(i) === true ? c.mixture : undefined;
    const name = mixed?.module ?? 'mlp';
    const weights = mixed === undefined ? mlpWeights : mixtureWeights(mixed, hiddenSize);
    return [
      {
        path: `${block}.self_attn`,
        block,
        modules: modulesWith('self_attn', norms.attention),
        kind: 'attention',
        heads: { heads, kvHeads, headSize },
        flops: shape => linearFlops(shape, attentionWeights) + attentionFlops(shape, queries, layer.window),
        apply: attentionOf(layer),
      },
      {
        path: `${block}.${name}`,
        block,
        modules: modulesWith(name, norms.mlp),
        kind: 'mlp',
        sharesInput: c.isParallel,
        flops: shape => linearFlops(shape, weights),
        apply: mixed === undefined ? mlp : mixture!,
      },
    ];
  });
}

function modulesWith(name: string, { before, after }: BranchNorms): string[] {
  return [before, name, after].filter(module => module !== undefined);
}

/** A branch between its norms, with the factor on what it adds. */
function withNorms(c: LlamaConfig, { before, after }: BranchNorms, run: Branch['apply']): Branch['apply'] {
  return (x, p, hooks, context) => {
    const result = run(before === undefined ? x : normalizeBy(c, before, x, p), p, hooks, context);
    const normal = after === undefined ? result : normalizeBy(c, after, result, p);
    return c.branchFactor === 1 ? normal : scale(normal, c.branchFactor);
  };
}

/** Queries, keys and values before they are split into heads, `[batch, time, heads · headSize]` each. */
type Projections = readonly [queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor];

function attentionOn(c: LlamaConfig, { window, rotary }: LlamaLayer): Branch['apply'] {
  const { queries, keys } = attentionWidths(c);
  const [cosName, sinName] = rotary === 'sliding' ? ['slidingCos', 'slidingSin'] : ['cos', 'sin'];
  return (x, p, hooks, context) => {
    const { shared } = context;
    const project = (part: string, states: tf.Tensor): tf.Tensor =>
      linearLayer(`self_attn.${part}_proj`, states, p, hooks);
    const projectAll = (states: tf.Tensor): Projections =>
      c.fusesAttention
        ? (splitLast(project('qkv', states), [queries, keys, keys]) as [tf.Tensor, tf.Tensor, tf.Tensor])
        : [project('q', states), project('k', states), project('v', states)];
    const heads = (part: 'q' | 'k', states: tf.Tensor): tf.Tensor => normalizedHeads(c, part, states, p);
    const encodePositions = (states: tf.Tensor): tf.Tensor =>
      rotary === undefined ? states : rope(states, shared[cosName]!, shared[sinName]!, c.ropeLayout);
    const [q, k, v] = projectAll(x);
    const turned = encodePositions(heads('q', q));
    return attend(
      shared.queryGrowth === undefined ? turned : scaleRows(turned, shared.queryGrowth),
      { keys: encodePositions(heads('k', k)), values: splitHeads(v, c.kvHeads) },
      {
        ...{ name: 'self_attn', p, hooks, context, window, scale: c.attentionScale, scoreCap: c.scoreCap },
        keyValue(states) {
          // Layers that are apart are not run for queries that nobody asks for.
          const [, otherKeys, values] = c.fusesAttention
            ? projectAll(states)
            : [undefined, project('k', states), project('v', states)];
          return { keys: heads('k', otherKeys), values: splitHeads(values, c.kvHeads) };
        },
        output: gathered => linearLayer('self_attn.o_proj', mergeHeads(gathered), p, hooks),
      },
    );
  };
}

/** `[batch, time, heads · headSize]` to `[batch, heads, time, headSize]`, normalised as the model does it. */
function normalizedHeads(c: LlamaConfig, part: 'q' | 'k', states: tf.Tensor, p: Scope): tf.Tensor {
  const heads = part === 'q' ? c.heads : c.kvHeads;
  const names = qkNormNames(c, part);
  switch (c.qkNorm) {
    case undefined:
      return splitHeads(states, heads);
    case 'eachHead':
      return normalizeBy(c, names[0]!, splitHeads(states, heads), p);
    case 'allHeads':
      return splitHeads(normalizeBy(c, names[0]!, states, p), heads);
    case 'ownOfEachHead': {
      const each = splitLast(states, heads).map((head, i) => normalizeBy(c, names[i]!, head, p));
      return splitHeads(joinLast(each), heads);
    }
  }
}

/** `x` with the queries of each token multiplied by a number that follows from its position. Keeps these numbers alone. */
function scaleRows(x: tf.Tensor, factors: tf.Tensor): tf.Tensor {
  return withGradient(
    [x],
    save => {
      save([factors]);
      return tf.mul(x, factors);
    },
    (dy, [saved]) => [tf.mul(dy, saved!)],
  );
}

function runMlp(c: LlamaConfig, x: tf.Tensor, p: Scope, hooks: Hooks): tf.Tensor {
  const layer = (name: string, states: tf.Tensor): tf.Tensor => linearLayer(`mlp.${name}`, states, p, hooks);
  switch (c.mlp) {
    case 'gated':
      return layer('down_proj', activateGate(layer('gate_proj', x), layer('up_proj', x), c.activation));
    case 'fusedGate': {
      const [gate, up] = splitLast(layer('gate_up_proj', x), 2) as [tf.Tensor, tf.Tensor];
      return layer('down_proj', activateGate(gate, up, c.activation));
    }
    case 'ungated':
      return layer('c_proj', activate(layer('c_fc', x), c.activation));
  }
}
