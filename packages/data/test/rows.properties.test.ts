import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrange, packed } from '../src/batches/plan/arrange.ts';
import { openDataset, recognizeFormat, type Sample } from '../src/index.ts';

const text = fc.string({ unit: fc.oneof(fc.constantFrom('"', ',', '\n', '\r', '\t', ';', ' ', 'a', 'é', '😀', '\0'), fc.string({ unit: 'grapheme' })) }); // prettier-ignore
const someText = text.filter(value => value !== '');

async function samples(name: string, content: string): Promise<Sample[]> {
  const dataset = await openDataset(new File([content], name));
  const found: Sample[] = [];
  for await (const row of dataset.rows()) found.push(row.sample);
  const order = found.map((_, i) => found.length - 1 - i);
  expect((await dataset.read(order)).map(({ sample }) => sample)).toEqual(found.toReversed());
  return found;
}

describe('rows that were written are read again', () => {
  it('from JSON Lines, with empty lines between them', async () => {
    const line = fc.record({ prompt: text, completion: someText });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1 }), fc.constantFrom('\n', '\r\n', '\n\n\n'), async (rows, end) => {
        const content = rows.map(row => JSON.stringify(row)).join(end);
        expect(await samples('a.jsonl', content)).toEqual(rows.map(row => ({ kind: 'completion', ...row })));
      }),
      { numRuns: 50 },
    );
  });
  it('from CSV, with whatever stands between quotes', async () => {
    const row = fc.tuple(text, someText);
    const separator = fc.constantFrom(',', '\t', ';');
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1 }),
        separator,
        fc.constantFrom('\n', '\r\n'),
        async (rows, by, end) => {
          const quoted = (value: string): string => `"${value.replaceAll('"', '""')}"`;
          const field = (value: string): string => (/["\r\n,;\t]/.test(value) ? quoted(value) : value);
          const content = [['prompt', 'completion'], ...rows].map(fields => fields.map(field).join(by) + end).join('');
          const wanted = rows.map(([prompt, completion]) => ({ kind: 'completion', prompt, completion }));
          expect(await samples('a.csv', content)).toEqual(wanted);
        },
      ),
      { numRuns: 50 },
    );
  });
  it('from plain text, piece by piece', async () => {
    const lines = fc.array(fc.oneof(someText, fc.constantFrom('a'.repeat(5000), '😀'.repeat(1500))), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(lines, async own => {
        const content = own.join('\n');
        const pieces = await samples('a.txt', content);
        expect(pieces.map(piece => (piece as { text: string }).text).join('')).toBe(content);
      }),
      { numRuns: 30 },
    );
  });
});

describe('recognizeFormat', () => {
  it('explains a format, or refuses the row by a message', () => {
    const column = fc.oneof(fc.constantFrom('text', 'prompt', 'completion', 'messages', 'conversations', 'instruction', 'output', 'input'), fc.string()); // prettier-ignore
    fc.assert(
      fc.property(fc.dictionary(column, fc.jsonValue()), row => {
        try {
          const { columns, explanation } = recognizeFormat(row);
          expect(explanation).toMatch(/^Each row is .*\.$/s);
          expect(Object.keys(columns).length).toBeGreaterThan(0);
        } catch (error) {
          expect((error as Error).message).toContain('no format that is known fits these columns');
        }
      }),
    );
  });
});

describe('arrange', () => {
  const TIME = 40;
  const lengths = fc.array(fc.integer({ min: 1, max: TIME }), { maxLength: 60 });
  it('gives every sequence a place, once, in full batches', () => {
    const options = fc.record({ batch: fc.integer({ min: 1, max: 6 }), isLast: fc.boolean() });
    fc.assert(
      fc.property(lengths, options, fc.constantFrom('inOrder', 'byLength', 'packed'), (own, { batch, isLast }, how) => {
        const { batches, rest } = arrange(own, how, { batch, time: TIME, isLast, random: undefined });
        const placed = [...batches.flat(2), ...rest];
        expect(placed.sort((a, b) => a - b)).toEqual(own.map((_, i) => i));
        for (const [i, rows] of batches.entries()) {
          if (!isLast || i < batches.length - 1) expect(rows).toHaveLength(batch);
          for (const row of rows) expect(row.reduce((sum, n) => sum + own[n]!, 0)).toBeLessThanOrEqual(TIME);
        }
        if (isLast) expect(rest).toEqual([]);
      }),
    );
  });
  it('leaves no two packed rows that would fit into one', () => {
    fc.assert(
      fc.property(lengths, own => {
        const totals = packed(own, TIME).map(row => row.reduce((sum, n) => sum + own[n]!, 0));
        const [least = TIME, next = TIME] = totals.sort((a, b) => a - b);
        expect(totals.length < 2 || least + next > TIME).toBe(true);
      }),
    );
  });
});
