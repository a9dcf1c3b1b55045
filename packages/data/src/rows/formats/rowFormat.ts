import { alpacaFormat } from './alpacaFormat.ts';
import { chatFormat } from './chatFormat.ts';
import { completionFormat } from './completionFormat.ts';
import type { RowPrompt } from '../prompts/rowPrompt.ts';
import type { Sample } from './sample.ts';
import { textFormat } from './textFormat.ts';
import type { RowValue } from '../../sources/rowSource.ts';

/** The names of the formats that rows may have. */
export type RowFormatName = 'chat' | 'completion' | 'alpaca' | 'text';

/** How rows of one format are told and read. */
export interface RowFormat {
  readonly name: RowFormatName;
  /** The columns that a row has, by the names that they have here. */
  readonly required: readonly string[];
  readonly optional: readonly string[];
  /** Other names under which files hold them, in the order in which they are looked for. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
  /** What such rows are, for messages: `'a conversation: a list of messages'`. */
  readonly meaning: string;
  /** Whether the row's values look like this format: tells formats apart whose columns are called alike. */
  readonly fits?: (row: RowValue) => boolean;
  /** @throws RowFault */
  readonly toSample: (row: RowValue) => Sample;
  /** The prompt alone, with the answer that the row may have. @throws RowFault */
  readonly toPrompt: (row: RowValue) => RowPrompt;
}

/** Whether a format's column holds what a model is to learn to write. */
export function isAnswer(name: string): boolean {
  return name === 'completion' || name === 'output';
}

/** In the order in which they are looked for: of two that fit, the first says more of what the row means. */
export const rowFormats: readonly RowFormat[] = [chatFormat, completionFormat, alpacaFormat, textFormat];
