import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { IGNORED, type Sequence } from './sequence.ts';

/** A part of a sequence, as text. */
export interface ExamplePart {
  /** The text of these tokens. */
  readonly text: string;
  /** Whether the model learns to write it. */
  readonly counts: boolean;
}

/** A sequence as the model sees it, special tokens included, in parts that count and parts that do not: for people. */
export function exampleText(tokenizer: Tokenizer, { ids, labels }: Sequence): ExamplePart[] {
  const parts: ExamplePart[] = [];
  for (let start = 0; start < ids.length;) {
    const counts = labels[start] !== IGNORED;
    let end = start + 1;
    while (end < ids.length && (labels[end] !== IGNORED) === counts) end++;
    parts.push({ text: tokenizer.decode(ids.subarray(start, end)), counts });
    start = end;
  }
  return parts;
}
