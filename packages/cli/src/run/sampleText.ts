import { streamText, type Tokenizer } from '@dropbp/data';
import { generate } from '@dropbp/models';

/** Text that a model writes after a prompt; the same seed gives comparable samples. */
export async function sampleText(
  subject: Parameters<typeof generate>[0],
  tokenizer: Tokenizer,
  options: { readonly prompt: string; readonly maxNewTokens: number; readonly seed: number },
): Promise<string> {
  const { prompt, maxNewTokens, seed } = options;
  const tokens = generate(subject, tokenizer.encode(prompt), { maxNewTokens, temperature: 0.8, topK: 40, seed });
  let text = '';
  for await (const piece of streamText(tokenizer, tokens, { skipSpecialTokens: true })) text += piece;
  return text;
}
