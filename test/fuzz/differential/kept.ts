import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileName } from '../corpus.ts';
import type { PythonAnswer } from './python.ts';

/** Inputs that we once took otherwise than Python, with Python's answer, so that `npm test` needs no Python. */
const folder = fileURLToPath(new URL('../corpus/differential/', import.meta.url));
const drafts = fileURLToPath(new URL('../../.cache/fuzz/differential/', import.meta.url));

export interface KeptComparison {
  /** In base64. */
  readonly input: string;
  /** What the input says, for people; nothing reads it. */
  readonly text: string;
  readonly python: PythonAnswer;
}

export function keptComparisons(subject: string): ReadonlyMap<string, KeptComparison> {
  const own = `${folder}${subject}`;
  if (!existsSync(own)) return new Map();
  const read = (name: string): KeptComparison => JSON.parse(readFileSync(`${own}/${name}`, 'utf8')) as KeptComparison;
  return new Map(readdirSync(own).map(name => [name, read(name)]));
}

/** @param isFinal - whether it goes where `npm test` finds it. @returns the file */
export function keepComparison(
  subject: string,
  signature: string,
  { input, python, isFinal }: { input: Uint8Array; python: PythonAnswer; isFinal: boolean },
): string {
  const kept: KeptComparison = {
    input: Buffer.from(input).toString('base64'),
    text: new TextDecoder().decode(input).slice(0, 500),
    python,
  };
  const own = `${isFinal ? folder : drafts}${subject}`;
  mkdirSync(own, { recursive: true });
  const file = `${own}/${fileName(signature, input)}.json`;
  writeFileSync(file, `${JSON.stringify(kept, undefined, 1)}\n`);
  return relative(process.cwd(), file);
}
