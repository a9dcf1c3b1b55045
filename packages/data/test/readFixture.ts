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

export interface PairCase {
  texts: [string, string];
  ids: number[];
  tokenTypes: number[];
  bareIds: number[];
  bareTypes: number[];
}

/** What Python's tokenizers says: see `fixtures/make_tokenizers.py`. */
export function readFixture(): Record<string, Family> {
  return readFamilies('tokenizers.json');
}

/** What it says of tokenizers of BERT's kind: see `fixtures/make_word_pieces.py`. */
export function readWordPieces(): Record<string, Family & { pairs: PairCase[] }> {
  return readFamilies('wordPieces.json');
}

function readFamilies<Kind>(name: string): Record<string, Kind> {
  const text = readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { families: Record<string, Kind> }).families;
}
