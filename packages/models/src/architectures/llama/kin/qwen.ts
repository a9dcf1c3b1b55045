import { problem } from '@dropbp/basics';
import type { ConfigReader } from '../../configReader.ts';
import { askedAttentionBiases, type Family } from '../family.ts';
import { equalLayers, plainLayer, slidingLayers } from '../layerTypes.ts';
import type { LlamaLayer } from '../llamaConfig.ts';
import { inertMixtureKeys, readExperts } from '../mixture.ts';

/** Qwen Team, "Qwen2 Technical Report", 2024; Qwen2.5 is the same. */
export const qwen2: Family = {
  className: 'Qwen2ForCausalLM',
  title: 'Qwen2, Qwen2.5',
  maxPositions: 32768,
  kvHeads: 32,
  biases: () => ({ queryKeyValue: true, output: false, mlp: false }),
  layers: windowFromSomeLayerOn,
};

/** Qwen3: norms of queries and keys. */
export const qwen3: Family = {
  className: 'Qwen3ForCausalLM',
  title: 'Qwen3',
  maxPositions: 32768,
  kvHeads: 32,
  headSize: 128,
  biases: askedAttentionBiases,
  layers: windowFromSomeLayerOn,
  differ: () => ({ qkNorm: 'eachHead' }),
};

/** Qwen3 with experts in some layers, mostly in all; the window, where it is used, is that of all layers. */
export const qwen3Moe: Family = {
  className: 'Qwen3MoeForCausalLM',
  title: 'Qwen3 MoE',
  maxPositions: 32768,
  kvHeads: 4,
  biases: askedAttentionBiases,
  layers(reader, count) {
    const size = reader.optionalInteger('sliding_window', 4096);
    return equalLayers(count, {
      ...plainLayer,
      window: reader.boolean('use_sliding_window', false) ? size : undefined,
    });
  },
  differ: reader => ({
    qkNorm: 'eachHead',
    mixture: {
      ...readExperts(reader, { experts: 128, perToken: 8 }),
      ...{ module: 'mlp', router: 'gate' },
      innerSize: reader.integer('moe_intermediate_size', 768),
      softmaxOver: reader.boolean('norm_topk_prob', false) ? 'chosen' : 'all',
      isIn: mixedLayers(reader),
      stored: {
        gateUp: ['mlp.experts.*.gate_proj.weight', 'mlp.experts.*.up_proj.weight'],
        down: ['mlp.experts.*.down_proj.weight'],
      },
    },
  }),
  inert: [...inertMixtureKeys, 'max_window_layers'],
};

/** Each last layer of `decoder_sparse_step`, but for those of `mlp_only_layers`. */
function mixedLayers(reader: ConfigReader): (layer: number) => boolean {
  const step = reader.integer('decoder_sparse_step', 1);
  const without = reader.raw('mlp_only_layers') ?? [];
  if (Array.isArray(without) && without.every(Number.isInteger)) {
    const plain = new Set(without as number[]);
    return layer => !plain.has(layer) && (layer + 1) % step === 0;
  }
  throw problem('models', {
    what: 'config.json: mlp_only_layers is not usable',
    got: without,
    expected: 'null or a list of numbers of layers',
  });
}

/** The layers from `max_window_layers` on see a window, or those that `layer_types` names. */
function windowFromSomeLayerOn(reader: ConfigReader, count: number): LlamaLayer[] {
  const size = reader.optionalInteger('sliding_window', 4096);
  const window = reader.boolean('use_sliding_window', false) ? size : undefined;
  const first = reader.number('max_window_layers', 28);
  const slides = slidingLayers(reader, count, window);
  return Array.from({ length: count }, (_, i) => ({
    window: (slides?.[i] ?? i >= first) ? window : undefined,
    rotary: 'all',
  }));
}
