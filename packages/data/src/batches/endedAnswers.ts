import type { ChatSample } from '../rows/formats/sample.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { IGNORED, joinedSequence, type Sequence } from './sequence.ts';

/**
 * A conversation whose answers teach where to end. The token that ends a text counts where it stands right behind an answer. It
 * is added where the conversation ends with an answer that counts and no special token closes it.
 */
export function endedAnswers(tokenizer: Tokenizer, conversation: Sequence, { messages }: ChatSample): Sequence {
  const end = tokenizer.eosToken?.id;
  const { ids } = conversation;
  if (end === undefined || ids.length === 0) return conversation;
  const labels = conversation.labels.slice();
  for (let i = 1; i < ids.length; i++) if (ids[i] === end && labels[i - 1] !== IGNORED) labels[i] = end;
  const last = lastWritten(tokenizer, ids);
  const learned = labels.findIndex((label, i) => i >= last && label !== IGNORED);
  const isClosed = learned < 0 || (learned === last && isSpecial(tokenizer, ids[last]!, end));
  if (messages.at(-1)?.role !== 'assistant' || isClosed) return { ids, labels };
  // White space behind the answer leads to its end.
  labels.set(ids.subarray(learned), learned);
  return joinedSequence([
    { ids, labels },
    { ids: Int32Array.of(end), labels: Int32Array.of(end) },
  ]);
}

function isSpecial(tokenizer: Tokenizer, id: number, end: number): boolean {
  return id === end || tokenizer.decode([id], { skipSpecialTokens: true }) === '';
}

/** The last token that is more than white space, or the first one. */
function lastWritten(tokenizer: Tokenizer, ids: Int32Array): number {
  let at = ids.length - 1;
  while (at > 0 && tokenizer.decode([ids[at]!]).trim() === '') at--;
  return at;
}
