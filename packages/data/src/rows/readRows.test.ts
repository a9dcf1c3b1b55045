import { describe, expect, it } from 'vitest';
import { readRows } from './readRows.ts';

async function all(content: string, name: string): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of readRows(new File([content], name))) rows.push(row);
  return rows;
}

describe('readRows', () => {
  it('gives rows as they are, with their places', async () => {
    expect(await all('{"a":1}\n{"b":[2]}\n', 'x.jsonl')).toEqual([
      { place: 'x.jsonl, line 1', value: { a: 1 } },
      { place: 'x.jsonl, line 2', value: { b: [2] } },
    ]);
    expect(await all('a,b\n1,2\n', 'x.csv')).toEqual([{ place: 'x.csv, line 2', value: { a: '1', b: '2' } }]);
  });
  it('names what is no row', async () => {
    await expect(all('{"a":1}\nnonsense\n', 'x.jsonl')).rejects.toThrow(/^\[@dropbp\/data\] x\.jsonl, line 2: /);
  });
});
