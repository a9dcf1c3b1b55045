import { problem } from '@dropbp/basics';
import type { RawConfig } from '../architectures/configReader.ts';

/**
 * `eos_token_id`: a token, several, or none.
 *
 * @param file - that holds the configuration, for messages
 * @throws Problem if it is something else
 */
export function readEndTokens(file: string, { eos_token_id: given }: RawConfig): number[] {
  const end = given ?? [];
  const tokens: unknown[] = Array.isArray(end) ? end : [end];
  if (tokens.every(token => Number.isInteger(token))) return tokens as number[];
  throw problem('models', {
    what: `${file}: eos_token_id is not usable`,
    got: end,
    expected: 'a token or a list of tokens',
    fix: file === 'config.json' ? 'pass stopTokens' : 'correct the file, or remove it',
  });
}
