import { columnText } from './columnText.ts';
import type { RowFormat } from './rowFormat.ts';
import { textPrompt } from '../prompts/rowPrompt.ts';

/** Rows that hold a text each. */
export const textFormat: RowFormat = {
  name: 'text',
  required: ['text'],
  optional: [],
  aliases: {},
  meaning: 'a text',
  toSample: row => ({ kind: 'text', text: columnText(row, 'text') }),
  toPrompt: row => textPrompt(columnText(row, 'text'), undefined),
};
