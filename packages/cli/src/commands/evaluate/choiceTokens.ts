import { IGNORED_LABEL } from '@dropbp/core';
import type { Tokenizer } from '@dropbp/data';
import type { ScoredSequence } from '@dropbp/train';

/**
 * The tokens of a context and what follows it, of which those that follow count. White space at the end of the context goes
 * over to what follows, and what is too long loses its beginning: as lm-evaluation-harness does it, `TemplateLM._encode_pair`.
 *
 * @param longest - tokens at most
 */
export function choiceTokens(
  tokenizer: Tokenizer,
  { context, continuation }: { readonly context: string; readonly continuation: string },
  longest: number,
): ScoredSequence {
  const starts = tokenizer.bosToken?.text;
  // A text that begins with the token that begins texts does not get a second one.
  const addSpecialTokens = starts === undefined || !context.startsWith(starts);
  const whole = tokenizer.encode(context + continuation, { addSpecialTokens });
  const given = tokenizer.encode(context.trimEnd(), { addSpecialTokens }).length;
  const cut = Math.max(0, whole.length - longest);
  const ids = whole.slice(cut);
  return { ids, labels: ids.map((id, i) => (i + cut < given ? IGNORED_LABEL : id)) };
}
