import { problem } from '@dropbp/basics';
import type { ConfigReader } from '../configReader.ts';
import type { LlamaLayer } from './llamaConfig.ts';

/** Attention to all tokens with rotary positions. */
export const plainLayer: LlamaLayer = { window: undefined, rotary: 'all' };

const FULL = 'full_attention';
const SLIDING = 'sliding_attention';

/** Layers that are all alike. */
export function equalLayers(count: number, layer: LlamaLayer): LlamaLayer[] {
  return Array.from({ length: count }, () => layer);
}

/** Whether each layer slides, as `layer_types` says; undefined where it says nothing. A window must be there if one does. */
export function slidingLayers(
  reader: ConfigReader,
  count: number,
  window: number | undefined,
): readonly boolean[] | undefined {
  const types = reader.raw('layer_types') ?? undefined;
  if (types === undefined) return undefined;
  const known = window === undefined ? [FULL] : [FULL, SLIDING];
  if (Array.isArray(types) && types.length === count && types.every(type => known.includes(type as string))) {
    return types.map(type => type === SLIDING);
  }
  throw problem('models', {
    what: 'config.json: layer_types is not usable',
    got: types,
    expected: `${count} entries of ${known.join(' or ')}${window === undefined ? ', as there is no sliding window' : ''}`,
  });
}

/**
 * Layers with a window, of which each last one of a period sees all instead, or as `layer_types` says.
 *
 * @param window - where the file says nothing of `sliding_window`
 * @param pattern - the period, where the file says nothing of `sliding_window_pattern`
 * @param rotaryOf - how a layer with or without a window encodes positions. @defaultValue all alike
 */
export function alternatingLayers(
  reader: ConfigReader,
  count: number,
  { window, pattern, rotaryOf = () => 'all' }: AlternatingLayers,
): LlamaLayer[] {
  const size = reader.optionalInteger('sliding_window', window);
  const period = reader.integer('sliding_window_pattern', pattern);
  const slides =
    slidingLayers(reader, count, size) ??
    Array.from({ length: count }, (_, i) => size !== undefined && (i + 1) % period !== 0);
  return slides.map(doesSlide => ({
    window: doesSlide ? size : undefined,
    rotary: rotaryOf(doesSlide),
  }));
}

interface AlternatingLayers {
  readonly window: number;
  readonly pattern: number;
  readonly rotaryOf?: (slides: boolean) => LlamaLayer['rotary'];
}
