import { readFileSync } from 'node:fs';

export interface TextCase {
  text: string;
  ids: number[];
  bareIds: number[];
  decoded: string;
  decodedBare: string;
}

export interface Family {
  tokenizer: object;
  cases: TextCase[];
  idCases: { ids: number[]; decoded: string }[];
}

/** What Python's tokenizers says: see `fixtures/make_tokenizers.py`. */
export function readFixture(): Record<string, Family> {
  const text = readFileSync(new URL('./fixtures/tokenizers.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { families: Record<string, Family> }).families;
}
