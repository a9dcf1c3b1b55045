import type { MarkedText, TextSpan } from '../chat/chatTemplate.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { EncodeContinuation } from './continuation.ts';
import { IGNORED, joinedSequence, type Sequence } from './sequence.ts';

/**
 * Tokens of a text, of which those that touch one of the spans count. No token reaches over a cut: what follows a cut is encoded
 * apart, as a continuation.
 *
 * Source: the assistant mask of transformers' `apply_chat_template`. Where the tokenizer cannot say where its tokens stand,
 * those count that differ from the tokens of the text up to the span.
 *
 * @param cuts - places in the text, in ascending order
 */
export function labelledTokens(
  { tokenizer, encodeContinuation }: TextEncoding,
  { text, spans }: MarkedText,
  cuts: readonly number[] = [],
): Sequence {
  const starts = [0, ...cuts.filter(cut => cut > 0 && cut < text.length)];
  const pieces = starts.map((start, i) => {
    const end = starts[i + 1] ?? text.length;
    const piece = text.slice(start, end);
    const own = spans.map(span => ({ start: Math.max(0, span.start - start), end: Math.min(end, span.end) - start }));
    const encode = i === 0 ? bareEncoder(tokenizer) : encodeContinuation;
    return labelledPiece(tokenizer, piece, own.filter(span => span.end > span.start), encode); // prettier-ignore
  });
  return pieces.length === 1 ? pieces[0]! : joinedSequence(pieces);
}

/** How texts become tokens. */
export interface TextEncoding {
  readonly tokenizer: Tokenizer;
  readonly encodeContinuation: EncodeContinuation;
}

/**
 * The starts over which a token reaches when the text is encoded as a whole. Whoever generates encodes the text up to a start
 * alone, and would read other tokens than those that were learned.
 */
export function mergedStarts({ tokenizer }: TextEncoding, text: string, starts: readonly number[]): number[] {
  const encode = bareEncoder(tokenizer);
  const ids = encode(text);
  const ranges = tokenizer.locate?.(text, ids);
  const bytes = toByteSpans(text, starts.map(start => ({ start, end: start }))); // prettier-ignore
  return starts.filter((start, i) => {
    const known = ranges === undefined ? undefined : isBetweenTokens(ranges, bytes[i]!.start);
    if (known !== undefined) return !known;
    // Spaces beside the start may belong to either token.
    return encode(text.slice(0, start)).some((id, j) => id !== ids[j]);
  });
}

/** Whether a place lies between two tokens; undefined where spaces beside it are in neither range. */
function isBetweenTokens(ranges: Uint32Array, place: number): boolean | undefined {
  let i = 0;
  while (2 * i < ranges.length && ranges[2 * i + 1]! <= place) i++;
  if (2 * i === ranges.length) return undefined;
  if (ranges[2 * i]! < place) return false;
  return ranges[2 * i] === place && (i === 0 ? place === 0 : ranges[2 * i - 1] === place) ? true : undefined;
}

function bareEncoder(tokenizer: Tokenizer): EncodeContinuation {
  return text => tokenizer.encode(text, { addSpecialTokens: false });
}

function labelledPiece(
  tokenizer: Tokenizer,
  text: string,
  spans: readonly TextSpan[],
  encode: EncodeContinuation,
): Sequence {
  const ids = Int32Array.from(encode(text));
  const isWhole = spans.length === 1 && spans[0]!.start === 0 && spans[0]!.end === text.length;
  if (isWhole) return { ids, labels: ids.slice() };
  const labels = new Int32Array(ids.length).fill(IGNORED);
  if (spans.length === 0) return { ids, labels };
  for (const same of [{ text, spans }, composed(text, spans)]) {
    const ranges = tokenizer.locate?.(same.text, ids);
    if (ranges === undefined) continue;
    markByRanges(ranges, toByteSpans(same.text, same.spans), { ids, labels });
    return { ids, labels };
  }
  markByPrefixes(encode, text, spans, { ids, labels });
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
  encode: EncodeContinuation,
  text: string,
  spans: readonly TextSpan[],
  { ids, labels }: Sequence,
): void {
  const shared = (end: number): { same: number; all: number } => {
    const prefix = encode(text.slice(0, end));
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
function toByteSpans(text: string, spans: readonly TextSpan[]): TextSpan[] {
  let [unit, byte] = [0, 0];
  const byteAt = (wanted: number): number => {
    byte += encoder.encode(text.slice(unit, wanted)).length;
    unit = wanted;
    return byte;
  };
  return spans.map(({ start, end }) => ({ start: byteAt(start), end: byteAt(end) }));
}
