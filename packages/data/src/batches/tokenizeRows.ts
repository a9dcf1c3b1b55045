import { checkOptions, checkValue, problem } from '@dropbp/basics';
import { answerSpans, type CountedAnswers } from '../chat/answerSpans.ts';
import type { ChatTemplate } from '../chat/chatTemplate.ts';
import { checkDataset } from '../rows/checkDataset.ts';
import type { BadRows, Dataset, Row } from '../rows/dataset.ts';
import { withSkipHint } from '../rows/readRow.ts';
import { RowFault } from '../rows/rowFault.ts';
import type { Sample } from '../rows/formats/sample.ts';
import { badRow } from '../sources/rowSource.ts';
import { readSeqLen, seqLenNames, type SeqLenOption } from '../text/sizeOptions.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { continuationEncoder } from './continuation.ts';
import { endedAnswers } from './endedAnswers.ts';
import { labelledTokens, mergedStarts, type TextEncoding } from './labelledTokens.ts';
import { labelCount, slicedSequence, type Sequence } from './sequence.ts';
import { surroundingTokens, type SurroundingTokens } from './surroundingTokens.ts';

/** What is done with a row of more tokens than a sequence holds. */
export type TooLong = 'truncate' | 'split' | 'leaveOut';

/** Options of {@link tokenizeRows}. */
export interface TokenizeRowsOptions extends SeqLenOption {
  /** That of the model. */
  readonly tokenizer: Tokenizer;
  /** Writes conversations. No default for rows that are some: a guess would train on what the model has never seen. */
  readonly chatTemplate?: ChatTemplate | undefined;
  /** Which tokens count, where a row has a prompt or questions. Of a text, all do. @defaultValue `'answers'` */
  readonly loss?: CountedAnswers;
  /**
   * What is done with a row of more than `seqLen` tokens: its end is cut off, it becomes several sequences, or it is left out.
   *
   * @defaultValue `'split'` for texts, `'truncate'` for all others
   */
  readonly tooLong?: TooLong;
  /** Further values for the chat template, such as `{ enable_thinking: false }`. @defaultValue none */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
}

/** Rows and how they become tokens, which happens when they are read. */
export interface TokenizedRows {
  /** The rows before they were tokenized. */
  readonly dataset: Dataset;
  /** Tokens in a sequence at most. */
  readonly time: number;
  /** The token that fills batches up. */
  readonly padId: number;
  /** Rows that cannot be used, and what was done with them. */
  readonly badRows: BadRows;
  /** @throws Problem with the row's place, where its conversation cannot be written */
  tokenize(row: Row): TokenizedRow;
}

/** What became of a row. */
export interface TokenizedRow {
  /** None where no token counts, or the row was too long and is left out. */
  readonly sequences: readonly Sequence[];
  /** Tokens that were cut off, or left out with the row. */
  readonly cutTokens: number;
  /** Sequences of which no token counts, which are left out. */
  readonly withoutLabels: number;
}

/**
 * Says how rows become tokens and labels. The token that ends a text follows texts and completions. A prompt and its
 * completion are encoded apart, so a row begins with the tokens that {@link encodePrompt} gives for the prompt alone.
 *
 * The chat template writes conversations. Where it ends the last answer with no special token, the token that ends a text
 * follows. An answer is encoded apart from what stands before it where a token would otherwise reach over its start.
 *
 * @throws Problem for options that are not usable, or conversations without a chat template
 *
 * @example
 * ```ts
 * const rows = tokenizeRows(dataset, { tokenizer, chatTemplate: await loadChatTemplate(folder), seqLen: 512 });
 * ```
 */
export function tokenizeRows(dataset: Dataset, options: TokenizeRowsOptions): TokenizedRows {
  checkOptions('data', 'tokenizeRows()', options, [
    ...['tokenizer', 'chatTemplate', ...seqLenNames, 'loss', 'tooLong', 'templateVariables'],
  ]);
  const { tokenizer, chatTemplate, tooLong, loss = 'answers' } = options;
  checkDataset('tokenizeRows()', dataset);
  checkValue('data', 'tokenizer', tokenizer, isTokenizer, 'what loadTokenizer() gives');
  checkValue('data', 'chatTemplate', chatTemplate, isTemplate, 'what loadChatTemplate() gives', 'it needs an await');
  const time = readSeqLen(options, 2);
  checkChoice('loss', loss, ['answers', 'lastAnswer', 'all']);
  if (tooLong !== undefined) checkChoice('tooLong', tooLong, ['truncate', 'split', 'leaveOut']);
  if (dataset.format.name === 'chat' && chatTemplate === undefined) throw noTemplate(dataset.name);
  const around = surroundingTokens(tokenizer);
  const encoding = { tokenizer, encodeContinuation: continuationEncoder(tokenizer) };
  return {
    dataset,
    time,
    padId: (tokenizer.padToken ?? tokenizer.eosToken)?.id ?? 0,
    badRows: dataset.badRows,
    tokenize({ place, sample }) {
      try {
        const whole = wholeSequence(sample, { around, encoding }, { ...options, loss });
        return fitted(whole, time, tooLong ?? (sample.kind === 'text' ? 'split' : 'truncate'));
      } catch (error) {
        if (!(error instanceof RowFault)) throw error;
        const placed = badRow(place, error.details).error;
        throw dataset.badRows === 'throw' ? withSkipHint(placed) : placed;
      }
    },
  };
}

function isTokenizer(given: unknown): boolean {
  return typeof given === 'object' && given !== null && 'encode' in given;
}

function isTemplate(given: unknown): boolean {
  return given === undefined || (typeof given === 'object' && given !== null && 'render' in given);
}

function wholeSequence(
  sample: Sample,
  { around, encoding }: { readonly around: SurroundingTokens; readonly encoding: TextEncoding },
  { chatTemplate, loss, templateVariables }: TokenizeRowsOptions & { readonly loss: CountedAnswers },
): Sequence {
  switch (sample.kind) {
    case 'text': {
      const { text, begins = true, ends = true } = sample;
      const own = labelledTokens(encoding, { text, spans: [{ start: 0, end: text.length }] });
      return around.surround(own, { begins, ends });
    }
    case 'completion': {
      const text = sample.prompt + sample.completion;
      const start = loss === 'all' ? 0 : sample.prompt.length;
      const own = labelledTokens(encoding, { text, spans: [{ start, end: text.length }] }, [sample.prompt.length]);
      return around.surround(own, { begins: true, ends: true });
    }
    case 'chat': {
      if (chatTemplate === undefined)
        throw new RowFault({ what: 'this is a conversation', expected: 'a chatTemplate' });
      const marked = answerSpans(chatTemplate, sample, loss, templateVariables);
      // With loss: 'all', tokens are those of the whole text, as for any text.
      const starts = loss === 'all' ? [] : marked.spans.map(({ start }) => start);
      const own = labelledTokens(encoding, marked, mergedStarts(encoding, marked.text, starts));
      return endedAnswers(encoding.tokenizer, own, sample);
    }
  }
}

function fitted(whole: Sequence, time: number, tooLong: TooLong): TokenizedRow {
  const { length } = whole.ids;
  const isTooLong = length > time;
  if (isTooLong && tooLong === 'leaveOut') return { sequences: [], cutTokens: length, withoutLabels: 0 };
  const parts = !isTooLong
    ? [whole]
    : tooLong === 'truncate'
      ? [slicedSequence(whole, 0, time)]
      : Array.from({ length: Math.ceil(length / time) }, (_, i) => slicedSequence(whole, i * time, (i + 1) * time));
  const sequences = parts.filter(part => labelCount(part) > 0);
  return {
    sequences,
    cutTokens: isTooLong && tooLong === 'truncate' ? length - time : 0,
    withoutLabels: parts.length - sequences.length,
  };
}

function checkChoice(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw problem('data', { what: `${name} is not usable`, got: value, expected: choices.map(c => `'${c}'`).join(', ') });
}

function noTemplate(name: string): Error {
  return problem('data', {
    what: `${name} holds conversations, and there is no chat template to write them`,
    expected: 'chatTemplate, as loadChatTemplate() gives it',
    fix: 'take a model that was trained to chat (its folder holds chat_template.jinja), or pass a template of your own',
  });
}
