import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { Problem } from '@dropbp/basics';
import { loadTokenizer } from '@dropbp/data';
import { expect, it } from 'vitest';

interface BrokenCase {
  readonly tokenizer: object;
  readonly ids?: readonly (readonly number[])[];
  readonly error?: string;
}

const TEXTS = ["Hello, world! It's 1234 naïve ☕", '  two  spaces\n\nx', '<|end|>a [mask] b'];

/** The ids of our tokenizer; undefined where it refuses the file. */
async function encode(tokenizer: object): Promise<number[][] | undefined> {
  try {
    const loaded = await loadTokenizer({ tokenizer });
    return TEXTS.map(text => loaded.encode(text));
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

it("damaged tokenizers give Python's ids, or are refused", async () => {
  const lines = createInterface({
    input: createReadStream(new URL('../.cache/broken-tokenizers/cases.jsonl', import.meta.url)),
  });
  const counts = { alike: 0, refusedByBoth: 0, refusedByUs: 0 };
  for await (const line of lines) {
    const { tokenizer, ids, error } = JSON.parse(line) as BrokenCase;
    const ours = await encode(tokenizer);
    if (ours === undefined) counts[error === undefined ? 'refusedByUs' : 'refusedByBoth']++;
    else {
      expect({ error, ids: ours }).toEqual({ error: undefined, ids });
      counts.alike++;
    }
  }
  console.log(counts);
  expect(counts.refusedByUs).toBeLessThan(counts.alike);
  expect(counts.refusedByBoth).toBeGreaterThan(1000);
});
