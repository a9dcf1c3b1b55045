import { choice, columns, number, paths, share, toggle, type FlagValues } from '../flag.ts';
import { templateFlag } from './templateFlag.ts';

/** Flags of what is learned from. */
export const dataFlags = {
  data: paths(
    '<file>',
    'what to learn from: JSON Lines, JSON, CSV, Parquet or plain text, also as .gz; several, one --data each',
  ),
  fileType: choice(
    ['auto', 'jsonl', 'json', 'csv', 'parquet', 'text'],
    'what kind of file it is; auto: by its ending',
    'auto',
  ),
  format: choice(['auto', 'chat', 'completion', 'alpaca', 'text'], 'what a row is; auto: by its columns', 'auto'),
  columns: columns('columns that hold something else than their names say'),
  template: templateFlag(),
  loss: choice(
    ['answers', 'lastAnswer', 'all'],
    'what of a row is learned: answers, the last one, or all; of a text, all is',
    'answers',
  ),
  arrangement: choice(
    ['byLength', 'packed', 'inOrder'],
    'rows of like length in a batch, as many as fit in a sequence, or as they come',
    'byLength',
  ),
  tooLong: choice(
    ['auto', 'truncate', 'split', 'leaveOut'],
    'what is done with rows longer than a sequence; auto: texts are split, others lose their end',
    'auto',
  ),
  skipBadRows: toggle('leave out rows that cannot be used, and count them, instead of ending'),
  heldOut: number(share, 'share of the rows to measure on instead of learning from them', 0.05),
};

/** The values of {@link dataFlags}. */
export type DataFlagValues = FlagValues<typeof dataFlags>;
