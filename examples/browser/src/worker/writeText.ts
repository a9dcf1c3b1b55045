import type { Subject } from '@dropbp/core';
import { streamText, type Tokenizer } from '@dropbp/data';
import { generate } from '@dropbp/models';

/** What the model writes after `prompt`, piece by piece: the same seed each time, so that texts can be compared. */
export async function* writeText(
  subject: Subject,
  tokenizer: Tokenizer,
  prompt: string,
  maxNewTokens: number,
): AsyncGenerator<string, void, undefined> {
  const tokens = tokenizer.encode(prompt.trim() === '' ? '\n' : prompt);
  yield* streamText(tokenizer, generate(subject, tokens, { maxNewTokens, temperature: 0.7, topK: 40, seed: 1 }));
}
