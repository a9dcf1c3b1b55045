import type { MarkedText, TextSpan } from '../chat/chatTemplate.ts';
import type { Tokenizer } from '../tokenizer.ts';
import { IGNORED, type Sequence } from './sequence.ts';

/**
 * Tokens of a text, of which those that touch one of the spans count.
 *
 * Source: the assistant mask of transformers' `apply_chat_template`. Where the tokenizer cannot say where its tokens stand,
 * those count that differ from the tokens of the text up to the span.
 */
export function labelledTokens(tokenizer: Tokenizer, text: string, spans: readonly TextSpan[]): Sequence {
  const ids = Int32Array.from(tokenizer.encode(text, { addSpecialTokens: false }));
  const isWhole = spans.length === 1 && spans[0]!.start === 0 && spans[0]!.end === text.length;
  if (isWhole) return { ids, labels: ids.slice() };
  const labels = new Int32Array(ids.length).fill(IGNORED);
  if (spans.length === 0) return { ids, labels };
  for (const same of [{ text, spans }, composed(text, spans)]) {
    const ranges = tokenizer.locate?.(same.text, ids);
    if (ranges === undefined) continue;
    markByRanges(ranges, bytesOf(same.text, same.spans), { ids, labels });
    return { ids, labels };
  }
  markByPrefixes(tokenizer, text, spans, { ids, labels });
  return { ids, labels };
}

/** The text in NFC, as some tokenizers take it, part by part so that the spans can be found again. */
function composed(text: string, spans: readonly TextSpan[]): MarkedText {
  let result = '';
  let at = 0;
  const until = (end: number): number => {
    result += text.slice(at, end).normalize('NFC');
    at = end;
    return result.length;
  };
  const own = spans.map(({ start, end }) => ({ start: until(start), end: until(end) }));
  until(text.length);
  return { text: result, spans: own };
}

function markByRanges(ranges: Uint32Array, spans: readonly TextSpan[], { ids, labels }: Sequence): void {
  let at = 0;
  for (let i = 0; i < ids.length; i++) {
    const [start, end] = [ranges[2 * i]!, ranges[2 * i + 1]!];
    while (at < spans.length && start >= spans[at]!.end) at++;
    if (at === spans.length) return;
    if (end > spans[at]!.start) labels[i] = ids[i]!;
  }
}

function markByPrefixes(
  tokenizer: Tokenizer,
  text: string,
  spans: readonly TextSpan[],
  { ids, labels }: Sequence,
): void {
  const shared = (end: number): { same: number; all: number } => {
    const prefix = tokenizer.encode(text.slice(0, end), { addSpecialTokens: false });
    let same = 0;
    while (same < prefix.length && prefix[same] === ids[same]) same++;
    return { same, all: prefix.length };
  };
  for (const { start, end } of spans) {
    const until = shared(end);
    // A token that reaches over the end of the span holds a part of it.
    const stop = until.same < until.all ? until.same + 1 : until.same;
    for (let i = shared(start).same; i < stop && i < ids.length; i++) labels[i] = ids[i]!;
  }
}

const encoder = new TextEncoder();

/** Spans in bytes of UTF-8 instead of units of a string. */
function bytesOf(text: string, spans: readonly TextSpan[]): TextSpan[] {
  let [unit, byte] = [0, 0];
  const byteAt = (wanted: number): number => {
    byte += encoder.encode(text.slice(unit, wanted)).length;
    unit = wanted;
    return byte;
  };
  return spans.map(({ start, end }) => ({ start: byteAt(start), end: byteAt(end) }));
}
