import type { RowValue } from '../../sources/rowSource.ts';
import { columnText, optionalText } from './columnText.ts';
import type { RowFormat } from './rowFormat.ts';
import { textPrompt } from '../prompts/rowPrompt.ts';

/** Rows of an instruction, an input that it may need, and the output; read with the prompt of Stanford's Alpaca. */
export const alpacaFormat: RowFormat = {
  name: 'alpaca',
  required: ['instruction', 'output'],
  optional: ['input'],
  aliases: {},
  meaning: 'an instruction, perhaps an input, and the output',
  toSample: row => ({ kind: 'completion', prompt: promptOf(row), completion: columnText(row, 'output') }),
  toPrompt: row => textPrompt(promptOf(row), optionalText(row, 'output')),
};

function promptOf(row: RowValue): string {
  return alpacaPrompt(columnText(row, 'instruction'), optionalText(row, 'input') ?? '');
}

/** Alpaca's prompt. Source: the column `text` of the data set tatsu-lab/alpaca. */
function alpacaPrompt(instruction: string, input: string): string {
  const paired = input === '' ? '' : ', paired with an input that provides further context';
  const context = input === '' ? '' : `### Input:\n${input}\n\n`;
  return (
    `Below is an instruction that describes a task${paired}. ` +
    'Write a response that appropriately completes the request.\n\n' +
    `### Instruction:\n${instruction}\n\n${context}### Response:\n`
  );
}
