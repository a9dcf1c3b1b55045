import { encodePrompt, streamText, type Tokenizer } from '@dropbp/data';
import { generate } from '@dropbp/models';

/** Text that a model writes after a prompt; the same seed gives comparable samples. */
export async function sampleText(
  subject: Parameters<typeof generate>[0],
  tokenizer: Tokenizer,
  options: { readonly prompt: string; readonly isChat: boolean; readonly maxNewTokens: number; readonly seed: number },
): Promise<string> {
  const { prompt, isChat, maxNewTokens, seed } = options;
  // A chat template has written all special tokens.
  const given = isChat ? tokenizer.encode(prompt, { addSpecialTokens: false }) : encodePrompt(tokenizer, prompt);
  const tokens = generate(subject, given, { maxNewTokens, temperature: 0.8, topK: 40, seed });
  let text = '';
  for await (const piece of streamText(tokenizer, tokens, { skipSpecialTokens: true })) text += piece;
  return text;
}
