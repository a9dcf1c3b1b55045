import { loadTokenizer, type Tokenizer } from '../src/index.ts';
import { readFixture } from './readFixture.ts';

/** A byte-level tokenizer of 801 tokens, whose `<|end|>` ends a text. */
export function tinyTokenizer(family = 'smollm', config: object = {}): Promise<Tokenizer> {
  const { tokenizer } = readFixture()[family]!;
  return loadTokenizer({ tokenizer, config: { eos_token: '<|end|>', pad_token: '<unk>', ...config } });
}
