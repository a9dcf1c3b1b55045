import { problem } from '@dropbp/basics';
import { checkPooling, poolingModes, type PoolingMode } from '../pooling.ts';

const flags: readonly (readonly [string, PoolingMode])[] = [
  ['pooling_mode_cls_token', 'cls'],
  ['pooling_mode_max_tokens', 'max'],
  ['pooling_mode_mean_tokens', 'mean'],
  ['pooling_mode_mean_sqrt_len_tokens', 'mean_sqrt_len_tokens'],
  ['pooling_mode_weightedmean_tokens', 'weightedmean'],
  ['pooling_mode_lasttoken', 'lasttoken'],
];
const others = ['word_embedding_dimension', 'embedding_dimension', 'pooling_mode', 'include_prompt'];

/** How a folder of sentence-transformers pools, of its old versions and the newest. @param path - for messages */
export function readPoolingConfig(config: Readonly<Record<string, unknown>>, path: string): readonly PoolingMode[] {
  const known = [...others, ...flags.map(([key]) => key)];
  const unknown = Object.keys(config).find(key => !known.includes(key));
  if (unknown !== undefined) {
    throw problem('embed', { what: `${path} has a key that is not known`, got: unknown, expected: known.join(', ') });
  }
  if (config.include_prompt === false) {
    throw problem('embed', { what: `include_prompt of ${path} is not supported`, got: false, expected: 'true' });
  }
  if ('pooling_mode' in config) {
    const mode = config.pooling_mode;
    return checkPooling(typeof mode === 'string' ? [mode] : mode, `pooling_mode of ${path}`);
  }
  const wrong = flags.find(([key]) => key in config && typeof config[key] !== 'boolean');
  if (wrong !== undefined) {
    throw problem('embed', {
      what: `${wrong[0]} of ${path} is not usable`,
      got: config[wrong[0]],
      expected: 'true or false',
    });
  }
  const chosen = flags.filter(([key]) => config[key] === true).map(([, mode]) => mode);
  return chosen.length === 0 ? ['mean'] : chosen;
}

/** The configuration as every version of sentence-transformers reads it. */
export function writePoolingConfig(modes: readonly PoolingMode[], width: number): Record<string, unknown> {
  const inOrder = poolingModes.filter(mode => modes.includes(mode));
  if (inOrder.join() !== modes.join()) return { embedding_dimension: width, pooling_mode: modes, include_prompt: true };
  return {
    word_embedding_dimension: width,
    ...Object.fromEntries(flags.map(([key, mode]) => [key, modes.includes(mode)])),
    include_prompt: true,
  };
}
