import { displayWidth, paint } from './paint.ts';

/** What {@link table} takes. */
export interface TableOptions {
  /** Names of the columns. */
  readonly header: readonly string[];
  /** Cells of each row, as many as the header has. */
  readonly rows: readonly (readonly string[])[];
  /** Columns whose cells stand at the right: numbers. @defaultValue all but the first */
  readonly rightAligned?: readonly number[];
  /** Whether the header may be painted. @defaultValue false */
  readonly hasColor?: boolean;
}

/** Rows of text as a table, a line each, every one with a line break at its end. */
export function table(options: TableOptions): string {
  const { header, rows, hasColor = false } = options;
  const rightAligned = options.rightAligned ?? header.map((_, i) => i).slice(1);
  const widths = header.map((title, i) => Math.max(...[title, ...rows.map(row => row[i] ?? '')].map(displayWidth)));
  const cell = (text: string, i: number): string => {
    const padding = ' '.repeat(widths[i]! - displayWidth(text));
    return rightAligned.includes(i) ? padding + text : text + padding;
  };
  const line = (cells: readonly string[]): string =>
    header
      .map((_, i) => cell(cells[i] ?? '', i))
      .join('   ')
      .trimEnd();
  const rule = widths.map(width => '─'.repeat(width)).join('───');
  return [paint('bold', line(header), hasColor), paint('dim', rule, hasColor), ...rows.map(line), ''].join('\n');
}
