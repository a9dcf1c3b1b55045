import type { ConfigReader } from '../../configReader.ts';
import { askedAttentionBiases, type Family } from '../family.ts';
import { slidingLayers } from '../layerTypes.ts';
import type { LlamaLayer } from '../llamaConfig.ts';

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
