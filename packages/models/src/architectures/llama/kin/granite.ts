import type { ConfigReader } from '../../configReader.ts';
import { askedAttentionBiases, askedBiases, type Family } from '../family.ts';
import { equalLayers, plainLayer } from '../layerTypes.ts';
import type { LlamaConfig } from '../llamaConfig.ts';
import { inertMixtureKeys, readExperts } from '../mixture.ts';

/** Granite 3, IBM, 2024: Llama with factors on embeddings, scores, branches and logits. */
export const granite: Family = {
  className: 'GraniteForCausalLM',
  title: 'Granite 3',
  maxPositions: 2048,
  biases: askedBiases,
  layers: (_, count) => equalLayers(count, plainLayer),
  differ: factors,
};

/** Granite 3 with experts. */
export const graniteMoe: Family = {
  ...granite,
  className: 'GraniteMoeForCausalLM',
  title: 'Granite 3 MoE',
  biases: askedAttentionBiases,
  differ: reader => ({
    ...factors(reader),
    mixture: {
      ...readExperts(reader, { experts: 8, perToken: 2 }),
      ...{ module: 'block_sparse_moe', router: 'router', softmaxOver: 'chosen', isIn: () => true },
      innerSize: reader.integer('intermediate_size'),
      stored: {
        router: 'block_sparse_moe.router.layer.weight',
        gateUp: 'block_sparse_moe.input_linear.weight',
        down: 'block_sparse_moe.output_linear.weight',
      },
    },
  }),
  inert: inertMixtureKeys,
};

function factors(reader: ConfigReader): Partial<LlamaConfig> {
  return {
    attentionScale: reader.number('attention_multiplier', 1),
    branchFactor: reader.number('residual_multiplier', 1),
    factors: {
      stream: reader.number('embedding_multiplier', 1),
      logitFactor: 1 / reader.number('logits_scaling', 1),
    },
  };
}
