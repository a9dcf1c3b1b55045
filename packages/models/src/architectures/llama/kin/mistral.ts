import { problem } from '@dropbp/basics';
import { ropeParameters } from '../../../layers/rope/readRope.ts';
import type { ConfigReader } from '../../configReader.ts';
import { noBiases, type Family } from '../family.ts';
import { equalLayers, plainLayer } from '../layerTypes.ts';
import type { LlamaConfig, LlamaLayer } from '../llamaConfig.ts';
import { inertMixtureKeys, readExperts } from '../mixture.ts';

/** Jiang et al., "Mistral 7B", 2023: all layers see a window. */
export const mistral: Family = {
  className: 'MistralForCausalLM',
  title: 'Mistral',
  maxPositions: 131072,
  kvHeads: 8,
  biases: noBiases,
  layers: windowOfAll(4096),
};

/** Jiang et al., "Mixtral of Experts", 2024. */
export const mixtral: Family = {
  className: 'MixtralForCausalLM',
  title: 'Mixtral',
  maxPositions: 131072,
  kvHeads: 8,
  theta: 1e6,
  epsilon: ['rms_norm_eps', 1e-5],
  biases: noBiases,
  layers: windowOfAll(undefined),
  differ: reader => ({
    mixture: {
      ...readExperts(reader, { experts: 8, perToken: 2 }),
      ...{ module: 'mlp', router: 'gate', softmaxOver: 'chosen', isIn: () => true },
      innerSize: reader.integer('intermediate_size'),
      stored: {
        router: 'block_sparse_moe.gate.weight',
        gateUp: ['block_sparse_moe.experts.*.w1.weight', 'block_sparse_moe.experts.*.w3.weight'],
        down: ['block_sparse_moe.experts.*.w2.weight'],
      },
    },
  }),
  inert: inertMixtureKeys,
};

/** Ministral 3: queries far behind grow with the logarithm of their position. */
export const ministral3: Family = {
  className: 'Ministral3ForCausalLM',
  title: 'Ministral 3',
  maxPositions: 262144,
  kvHeads: 8,
  headSize: 128,
  epsilon: ['rms_norm_eps', 1e-5],
  biases: noBiases,
  layers: windowOfAll(undefined),
  rope: { otherKeys: ['llama_4_scaling_beta', 'max_position_embeddings'] },
  differ: reader => ({ queryGrowth: readQueryGrowth(reader) }),
};

function windowOfAll(fallback: number | undefined): (reader: ConfigReader, count: number) => LlamaLayer[] {
  return (reader, count) =>
    equalLayers(count, { ...plainLayer, window: reader.optionalInteger('sliding_window', fallback) });
}

/** transformers computes with both numbers, so a file without them is of no use to it. */
function readQueryGrowth(reader: ConfigReader): LlamaConfig['queryGrowth'] {
  const [name, parameters] = ropeParameters(reader);
  const { llama_4_scaling_beta: beta, original_max_position_embeddings: length } = parameters;
  if (typeof beta === 'number' && typeof length === 'number' && beta >= 0 && length > 0) return { beta, length };
  throw problem('models', {
    what: `config.json: ${name} is not usable`,
    got: { llama_4_scaling_beta: beta, original_max_position_embeddings: length },
    expected: 'numbers for both, the second one greater than 0',
  });
}
