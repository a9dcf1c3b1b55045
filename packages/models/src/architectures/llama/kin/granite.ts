import { askedBiases, type Family } from '../family.ts';
import { equalLayers, plainLayer } from '../layerTypes.ts';

/** Granite 3, IBM, 2024: Llama with factors on embeddings, scores, branches and logits. */
export const granite: Family = {
  className: 'GraniteForCausalLM',
  title: 'Granite 3',
  maxPositions: 2048,
  biases: askedBiases,
  layers: (_, count) => equalLayers(count, plainLayer),
  differ: reader => ({
    attentionScale: reader.number('attention_multiplier', 1),
    branchFactor: reader.number('residual_multiplier', 1),
    factors: {
      stream: reader.number('embedding_multiplier', 1),
      logitFactor: 1 / reader.number('logits_scaling', 1),
    },
  }),
};
