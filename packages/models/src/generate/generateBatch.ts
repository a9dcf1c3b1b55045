import { checkOptions, problem } from '@dropbp/basics';
import { asRunnable, type RowGroups, type Runnable, type Subject } from '@dropbp/core';
import { decodeRows } from './decodeRows.ts';
import { decodePlan, generateOptionNames, type GenerateOptions, type Prompt } from './generateOptions.ts';

/** Options of {@link generateBatch}. */
export interface GenerateBatchOptions extends GenerateOptions {
  /**
   * Which adapter each text goes with, by its name in `tuned.adapters`; undefined for none. @defaultValue the one in use, for
   * all
   */
  readonly adapters?: readonly (string | undefined)[];
  /**
   * Options of each text, which count more than those of all. A text with a seed of its own draws as {@link generate} does, and its
   * signal ends it alone, without an error. @defaultValue the same for all
   */
  readonly perText?: readonly GenerateOptions[];
}

/**
 * Continues several texts at once, of any lengths, each as {@link generate} would alone. They may go with different adapters
 * on one model: each begins with its own, and from there on all run together, in one pass for a token of each.
 *
 * @param subject - a model, or what `compose` returns
 * @param texts - at least one, each of at least one token
 * @returns for each step a token of each text; undefined for one that has ended
 * @throws Problem if an option, a token or an adapter is not usable, or a text and its new tokens exceed the model's positions
 *
 * @example
 * ```ts
 * const adapters = ['french', 'german', undefined];
 * for await (const tokens of generateBatch(tuned, [[504], [504, 2365], [12]], { adapters })) console.log(tokens);
 * ```
 */
export function generateBatch(
  subject: Subject,
  texts: readonly (readonly number[] | Int32Array)[],
  options: GenerateBatchOptions = {},
): AsyncIterable<(number | undefined)[]> {
  checkOptions('models', 'generateBatch()', options, [...generateOptionNames, 'adapters', 'perText']);
  checkPerText(options.perText, texts.length);
  if (texts.length === 0) throw problem('models', { what: 'generateBatch() has no text to go on from' });
  const runnable = asRunnable(subject);
  const { groups, together } = rowGroups(runnable, texts.length, options.adapters);
  const prompts = texts.map((tokens, row): Prompt => {
    const group = groups.find(({ rows }) => rows.includes(row))!;
    return { tokens, runnable: group.runnable };
  });
  const plan = decodePlan('generateBatch()', prompts, options, options.perText);
  const order = groups.flatMap(({ rows }) => rows);
  const inOrder = groups.map(group => ({
    runnable: group.runnable,
    prompts: group.rows.map(row => Int32Array.from(texts[row]!)),
  }));
  const steps = decodeRows(inOrder, together, { ...plan, rows: order.map(row => plan.rows[row]!) });
  return asGiven(steps, order);
}

function checkPerText(perText: GenerateBatchOptions['perText'], count: number): void {
  if (perText === undefined) return;
  if (perText.length !== count) {
    throw problem('models', {
      what: 'generateBatch(): perText is not usable',
      got: perText,
      expected: `options for each of the ${count} texts`,
    });
  }
  for (const options of perText) checkOptions('models', 'generateBatch(): perText', options, generateOptionNames);
}

function rowGroups(runnable: Runnable, count: number, adapters: GenerateBatchOptions['adapters']): RowGroups {
  const all = Array.from({ length: count }, (_, row) => row);
  if (adapters === undefined) return { groups: [{ runnable, rows: all }], together: runnable };
  if (adapters.length !== count) {
    throw problem('models', {
      what: 'generateBatch(): adapters is not usable',
      got: adapters,
      expected: `the name of an adapter, or undefined, for each of the ${count} texts`,
    });
  }
  if (runnable.forRows !== undefined) return runnable.forRows(adapters);
  throw problem('models', { what: 'generateBatch(): the model has no adapters', fix: 'pass what compose() returns' });
}

/** Tokens in the order of the texts, not of the groups. */
async function* asGiven(
  steps: AsyncIterable<(number | undefined)[]>,
  order: readonly number[],
): AsyncGenerator<(number | undefined)[], void, undefined> {
  for await (const tokens of steps) {
    const given = new Array<number | undefined>(tokens.length);
    order.forEach((row, i) => (given[row] = tokens[i]));
    yield given;
  }
}
