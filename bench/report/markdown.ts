/** A value in a cell: numbers to three places, nothing for what was not measured. */
export type Cell = string | number | undefined;

/** A table in Markdown. @param columns heading → value of a row */
export function markdownTable<Row>(
  rows: readonly Row[],
  columns: Readonly<Record<string, (row: Row) => Cell>>,
): string {
  const headings = Object.keys(columns);
  const lines = rows.map(row => Object.values(columns).map(value => shown(value(row))));
  return [headings, headings.map(() => '---'), ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

function shown(cell: Cell): string {
  if (cell === undefined || (typeof cell === 'number' && Number.isNaN(cell))) return '';
  return typeof cell === 'number' ? String(Math.round(cell * 1000) / 1000) : cell;
}

/** What stands between `<!-- NAME -->` and `<!-- /NAME -->`, replaced. @throws Error for a mark that is not closed or not known */
export function fillMarks(text: string, contents: Readonly<Record<string, () => string>>): string {
  return text.replaceAll(/<!-- table: ([\w.-]+) -->\n[^]*?<!-- \/table -->/g, (_, name: string) => {
    const content = contents[name];
    if (content === undefined) throw new Error(`no table '${name}'; there are ${Object.keys(contents).join(', ')}`);
    return `<!-- table: ${name} -->\n\n${content()}\n\n<!-- /table -->`;
  });
}
