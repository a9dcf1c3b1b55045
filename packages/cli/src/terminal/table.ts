import { displayWidth, paint, withinLine, type Styled } from './paint.ts';

/** What {@link styledTable} takes. */
export interface TableOptions {
  /** Names of the columns. */
  readonly header: readonly string[];
  /** Cells of each row, as many as the header has. They may have looks. */
  readonly rows: readonly (readonly Styled[])[];
  /** Columns whose cells stand at the right: numbers. @defaultValue all but the first */
  readonly rightAligned?: readonly number[];
}

/** Rows of text as a table, a line each, every one with a line break at its end. */
export function styledTable(options: TableOptions): Styled {
  const { header, rows } = options;
  const rightAligned = options.rightAligned ?? header.map((_, i) => i).slice(1);
  const cells = [header, ...rows].map(row => header.map((_, i) => sized(row[i] ?? '')));
  const widths = header.map((_, i) => cells.reduce((widest, row) => Math.max(widest, row[i]!.width), 0));
  const line = (row: readonly Sized[]): Styled => {
    const parts: Styled[] = [];
    let space = ''; // written with the next cell, so that no line ends in it
    row.forEach(({ text, width }, i) => {
      const padding = ' '.repeat(widths[i]! - width);
      const isRight = rightAligned.includes(i);
      if (width > 0) {
        parts.push(isRight ? space + padding : space, text);
        space = '';
      }
      space += width > 0 && isRight ? gap : padding + gap;
    });
    return parts;
  };
  const rule = widths.map(width => '─'.repeat(width)).join('─'.repeat(gap.length));
  const [head, ...body] = cells.map(line);
  return [paint('bold', head!), '\n', paint('dim', rule), '\n', ...body.flatMap(row => [row, '\n'])];
}

const gap = '   ';

interface Sized {
  readonly text: Styled;
  readonly width: number;
}

function sized(cell: Styled): Sized {
  const text = withinLine(cell);
  return { text, width: displayWidth(text) };
}
