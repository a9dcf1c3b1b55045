import { problem } from '@dropbp/basics';
import type { ConfigReader } from '../../configReader.ts';
import { noBiases, type Family } from '../family.ts';
import { slidingLayers } from '../layerTypes.ts';
import type { LlamaLayer } from '../llamaConfig.ts';

/** LG AI Research, "EXAONE 4.0", 2025: norms of what the branches add; layers that see all do without positions. */
export const exaone4: Family = {
  className: 'Exaone4ForCausalLM',
  title: 'EXAONE 4',
  maxPositions: 2048,
  kvHeads: 32,
  epsilon: ['rms_norm_eps', 1e-5],
  biases: noBiases,
  layers: windowsByPattern,
  differ: () => ({
    norms: { attention: { after: 'post_attention_layernorm' }, mlp: { after: 'post_feedforward_layernorm' } },
    qkNorm: 'eachHead',
  }),
};

/** Every fourth layer by default sees all. In a model without windows all layers do, and have positions. */
function windowsByPattern(reader: ConfigReader, count: number): LlamaLayer[] {
  const window = reader.optionalInteger('sliding_window', 4096);
  const pattern = reader.raw('sliding_window_pattern') ?? 4;
  const given = slidingLayers(reader, count, window);
  const slides = given ?? Array.from({ length: count }, (_, i) => window !== undefined && slidesAt(i, pattern));
  return slides.map(doesSlide => ({
    window: doesSlide ? window : undefined,
    rotary: doesSlide || window === undefined ? 'all' : undefined,
  }));
}

/** A pattern is a period, or the kinds of its layers as letters: `'LLLG'`. */
function slidesAt(layer: number, pattern: unknown): boolean {
  if (typeof pattern === 'number' && Number.isInteger(pattern) && pattern >= 1) return (layer + 1) % pattern !== 0;
  if (typeof pattern === 'string' && /^[LG]+$/.test(pattern)) return pattern[layer % pattern.length] === 'L';
  throw problem('models', {
    what: 'config.json: sliding_window_pattern is not usable',
    got: pattern,
    expected: 'an integer ≥ 1, or letters L (with a window) and G (without)',
  });
}
