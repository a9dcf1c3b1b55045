import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadChatTemplate, loadTokenizer } from '@dropbp/data';
import { openPreferences, tokenizePreferences, type TokenizedPreferences } from '../src/index.ts';

/** What TRL's trainers did in a step. */
export interface TrlStep {
  readonly loss: number;
  readonly 'rewards/chosen': number;
  readonly 'rewards/rejected': number;
  readonly 'rewards/accuracies'?: number;
  readonly 'rewards/margins': number;
  readonly kl?: number;
}

/** A run of ten steps. */
export interface TrlCase {
  readonly objective: 'dpo' | 'kto' | 'orpo' | 'simpo';
  readonly options: Readonly<Record<string, unknown>>;
  readonly reference: 'base' | 'adapter';
  readonly learningRate: number;
  readonly steps: readonly TrlStep[];
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly last: Readonly<Record<string, readonly number[]>>;
}

/** What `fixtures/make_trl.py` wrote. */
export interface TrlFixture {
  readonly tolerance: number;
  readonly maxLength: number;
  readonly rows: Readonly<Record<string, readonly object[]>>;
  readonly tokens: Readonly<Record<string, readonly Readonly<Record<string, readonly number[]>>[]>>;
  readonly cases: readonly TrlCase[];
  readonly dropped: readonly {
    readonly options: TrlCase['options'];
    readonly dropped: readonly boolean[];
    readonly dropPrompts: boolean;
    readonly loss: number;
    readonly gradients: TrlCase['gradients'];
  }[];
}

/** The folder of a model or an adapter. */
export const fixtureFolder = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** Read anew for each file of tests. */
export function readTrl(): TrlFixture {
  return JSON.parse(readFileSync(fixtureFolder('trl.json'), 'utf8')) as TrlFixture;
}

/** The rows of a format as tokens. */
export async function tokenizeFixture({ rows, maxLength }: TrlFixture, name: string): Promise<TokenizedPreferences> {
  const tokenizer = await loadTokenizer(fixtureFolder('llama'));
  const chatTemplate = await loadChatTemplate(fixtureFolder('llama'));
  return tokenizePreferences(await openPreferences(rows[name]!), { tokenizer, chatTemplate, seqLen: maxLength });
}

/** Largest difference of two lists of numbers. */
export function largestDifference(ours: ArrayLike<number>, theirs: readonly number[]): number {
  return theirs.reduce((most, value, i) => Math.max(most, Math.abs(value - ours[i]!)), 0);
}
