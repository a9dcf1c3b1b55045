import { columnText } from './columnText.ts';
import type { RowFormat } from './rowFormat.ts';

/** Rows of an instruction, an input that it may need, and the output; read with the prompt of Stanford's Alpaca. */
export const alpacaFormat: RowFormat = {
  name: 'alpaca',
  required: ['instruction', 'output'],
  optional: ['input'],
  aliases: {},
  meaning: 'an instruction, perhaps an input, and the output',
  toSample(row) {
    const input = row.input === undefined || row.input === null ? '' : columnText(row, 'input', 'may be empty');
    return {
      kind: 'completion',
      prompt: alpacaPrompt(columnText(row, 'instruction'), input),
      completion: columnText(row, 'output'),
    };
  },
};

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
