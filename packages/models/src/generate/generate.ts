import { checkOptions } from '@dropbp/basics';
import { asRunnable, type Subject } from '@dropbp/core';
import { decodeRows } from './decodeRows.ts';
import { decodePlan, generateOptionNames, type GenerateOptions } from './generateOptions.ts';

/**
 * Continues a text, one token after the other. Each token costs one pass of one token: keys and values of those before
 * it are kept. Breaking out of the loop frees everything.
 *
 * @param subject - a model, or what `compose` returns
 * @param tokens - the text so far, at least one token
 * @throws Problem if an option or a token is not usable, or text and new tokens exceed the model's positions
 *
 * @example
 * ```ts
 * for await (const token of generate(model, [504, 2365], { maxNewTokens: 20 })) console.log(token);
 * ```
 */
export function generate(
  subject: Subject,
  tokens: readonly number[] | Int32Array,
  options: GenerateOptions = {},
): AsyncIterable<number> {
  checkOptions('models', 'generate()', options, generateOptionNames);
  const runnable = asRunnable(subject);
  const plan = decodePlan('generate()', [{ tokens, runnable }], options);
  return onlyRow(decodeRows([{ runnable, prompts: [Int32Array.from(tokens)] }], runnable, plan));
}

/** The tokens of a generation of one row. */
async function* onlyRow(steps: AsyncIterable<(number | undefined)[]>): AsyncGenerator<number, void, undefined> {
  for await (const [token] of steps) if (token !== undefined) yield token;
}
