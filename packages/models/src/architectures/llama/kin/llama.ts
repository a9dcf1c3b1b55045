import { problem } from '@dropbp/basics';
import type { ConfigReader } from '../../configReader.ts';
import { askedBiases, type Family } from '../family.ts';
import { equalLayers, plainLayer, slidingLayers } from '../layerTypes.ts';
import type { LlamaLayer } from '../llamaConfig.ts';

/** Touvron et al., "LLaMA", 2023, and what came after it. */
export const llama: Family = {
  className: 'LlamaForCausalLM',
  title: 'Llama 1 to 3, SmolLM, SmolLM2',
  maxPositions: 2048,
  biases: askedBiases,
  layers: (_, count) => equalLayers(count, plainLayer),
};

/** SmolLM3: some layers do without positions. */
export const smollm3: Family = {
  className: 'SmolLM3ForCausalLM',
  title: 'SmolLM3',
  maxPositions: 32768,
  kvHeads: 4,
  theta: 2e6,
  isTied: true,
  biases: askedBiases,
  layers: someWithoutRotation,
};

/** Every fourth layer by default does without positions; the window, if any, is theirs. */
function someWithoutRotation(reader: ConfigReader, count: number): LlamaLayer[] {
  const size = reader.optionalInteger('sliding_window', undefined);
  const window = reader.boolean('use_sliding_window', false) ? size : undefined;
  const interval = reader.integer('no_rope_layer_interval', 4);
  const flags =
    reader.raw('no_rope_layers') ?? Array.from({ length: count }, (_, i) => Number((i + 1) % interval !== 0));
  if (!Array.isArray(flags) || flags.length < count || flags.some(flag => flag !== 0 && flag !== 1)) {
    throw problem('models', {
      what: 'config.json: no_rope_layers is not usable',
      got: flags,
      expected: `${count} entries, 1 for a layer with rotary positions and 0 for one without`,
    });
  }
  const slides = slidingLayers(reader, count, window);
  return Array.from({ length: count }, (_, i) => {
    const isRotary = flags[i] === 1;
    return { window: (slides?.[i] ?? !isRotary) ? window : undefined, rotary: isRotary ? 'all' : undefined };
  });
}
