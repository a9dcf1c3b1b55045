import type { RowSource, SourceRow } from './rowSource.ts';

/** The rows of several files, one after the other. */
export function joinedSource(sources: readonly RowSource[]): RowSource {
  const starts: number[] = [];
  let count = 0;
  const bytes = sources.reduce((sum, source) => sum + (source.bytes ?? 0), 0);
  const columns = sources[0]?.columns;
  return {
    bytes,
    name: sources.map(({ name }) => name).join(', '),
    kind: [...new Set(sources.map(({ kind }) => kind))].join('; '),
    ...(columns !== undefined && { columns }),
    get blocks() {
      if (sources.every(({ blocks }) => blocks === undefined)) return undefined;
      // A row that can be read alone is a part of its own, or the rows of its file would stay together.
      const rowsOf = (i: number): number[] =>
        Array.from({ length: (starts[i + 1] ?? count) - starts[i]! }, (_, row) => row);
      return sources.flatMap(({ blocks }, i) => (blocks ?? rowsOf(i)).map(block => starts[i]! + block));
    },
    async *scan() {
      for (const [i, source] of sources.entries()) {
        starts[i] = count;
        for await (const rows of source.scan()) {
          count += rows.length;
          yield rows;
        }
      }
    },
    async read(rows) {
      const result: SourceRow[] = new Array<SourceRow>(rows.length);
      for (const [i, source] of sources.entries()) {
        const end = starts[i + 1] ?? count;
        const own = rows.flatMap((row, at) => (row >= starts[i]! && row < end ? [at] : []));
        if (own.length === 0) continue;
        const read = await source.read(own.map(at => rows[at]! - starts[i]!));
        own.forEach((at, j) => (result[at] = read[j]!));
      }
      return result;
    },
  };
}
