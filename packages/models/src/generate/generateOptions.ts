import { checkValue, problem, seededRandom, type SeededRandom } from '@dropbp/basics';
import { textPositions, tokenHead, type Model, type Runnable } from '@dropbp/core';
import { classifierHead } from '../heads/taskHead.ts';
import type { DecodePlan, RowPlan } from './decodeRows.ts';
import { readEndTokens } from './readEndTokens.ts';
import type { Sampling } from './sampleToken.ts';

/** Options of {@link generate}. */
export interface GenerateOptions {
  /** At most this many tokens. @defaultValue as many as the positions allow */
  readonly maxNewTokens?: number;
  /** 0: always the most probable token. 1: as the model says; higher: more varied. @defaultValue 0 */
  readonly temperature?: number;
  /** With a temperature: draws among this many of the most probable tokens. @defaultValue all */
  readonly topK?: number;
  /** With a temperature: draws among the most probable tokens that add up to this probability. @defaultValue 1 */
  readonly topP?: number;
  /** The same seed draws the same tokens. @defaultValue another one each time */
  readonly seed?: number;
  /** Tokens that end the text. They are not given out. @defaultValue `eos_token_id` of `config.json` and of `generation_config.json` */
  readonly stopTokens?: readonly number[];
  /** Ends the generation: the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The names of {@link GenerateOptions}. */
export const generateOptionNames: readonly (keyof GenerateOptions)[] = [
  ...(['maxNewTokens', 'temperature', 'topK', 'topP', 'seed', 'stopTokens', 'signal'] as const),
];

/** A text, and what it begins with. */
export interface Prompt {
  readonly tokens: readonly number[] | Int32Array;
  readonly runnable: Runnable;
}

/**
 * The options with their defaults, checked.
 *
 * @param subject - the function's name, for messages
 * @param perText - options of single texts, which count more than those of all
 * @throws Problem if an option or a token is not usable, or a text and its new tokens exceed the model's positions
 */
export function decodePlan(
  subject: string,
  prompts: readonly Prompt[],
  options: GenerateOptions,
  perText: readonly GenerateOptions[] = [],
): DecodePlan {
  const { model } = prompts[0]!.runnable;
  tokenHead(model);
  const classifier = classifierHead(model);
  if (classifier !== undefined) {
    throw problem('models', {
      what: `${subject}: the model is for ${classifier.task} and does not write text`,
      fix: 'give a model that writes text',
    });
  }
  for (const { tokens } of prompts) checkTokens(subject, tokens, model.vocabSize);
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  const randomOf = (row: number): SeededRandom => (row === 0 ? seededRandom(seed) : seededRandom(seed, row));
  const sampling = checkSampling(subject, options);
  const asked = prompts.flatMap((prompt, row) =>
    perText[row]?.maxNewTokens === undefined ? [newTokens(subject, options.maxNewTokens, prompt)] : [],
  );
  const most = Math.min(...asked);
  const stop = new Set(options.stopTokens ?? endTokens(model));
  const rows = prompts.map((prompt, row): RowPlan => {
    const own = perText[row];
    if (own === undefined) return { ...sampling, maxNewTokens: most, stop, random: randomOf(row) };
    return {
      ...checkSampling(subject, { ...options, ...own }),
      maxNewTokens: own.maxNewTokens === undefined ? most : newTokens(subject, own.maxNewTokens, prompt),
      stop: own.stopTokens === undefined ? stop : new Set(own.stopTokens),
      random: own.seed === undefined ? randomOf(row) : seededRandom(own.seed),
      signal: own.signal,
    };
  });
  return { rows, signal: options.signal };
}

function checkTokens(subject: string, tokens: readonly number[] | Int32Array, vocabSize: number): void {
  const areTokens = (given: unknown): boolean => Array.isArray(given) || ArrayBuffer.isView(given);
  checkValue(
    'models',
    `${subject}: tokens`,
    tokens,
    areTokens,
    'token ids',
    'encode the text first: tokenizer.encode(text)',
  );
  const wrong = tokens.findIndex(token => !Number.isInteger(token) || token < 0 || token >= vocabSize);
  if (tokens.length > 0 && wrong === -1) return;
  throw problem('models', {
    what: tokens.length === 0 ? `${subject} has no token to go on from` : `${subject}: no such token at ${wrong}`,
    got: tokens.length === 0 ? [] : tokens[wrong],
    expected: tokens.length === 0 ? 'at least one token' : `an integer from 0 to ${vocabSize - 1}`,
  });
}

function newTokens(subject: string, asked: number | undefined, { tokens, runnable }: Prompt): number {
  const { maxPositions } = runnable.model;
  const virtual = maxPositions - textPositions(runnable);
  const room = textPositions(runnable) - tokens.length;
  const count = asked ?? Math.max(1, room);
  if (!Number.isInteger(count) || count < 1) {
    throw problem('models', {
      what: `${subject}: maxNewTokens is not usable`,
      got: count,
      expected: 'an integer ≥ 1',
    });
  }
  if (count <= room) return count;
  throw problem('models', {
    what: 'the text would be longer than the model has positions for',
    got: `${tokens.length} tokens and ${count} new ones${virtual === 0 ? '' : `, behind ${virtual} virtual ones`}`,
    expected: `${maxPositions} in all`,
    fix: room < 1 ? 'shorten the text' : `set maxNewTokens to ${room}, or shorten the text`,
  });
}

function checkSampling(subject: string, { temperature = 0, topK, topP }: GenerateOptions): Sampling {
  const wrong = (name: string, got: unknown, expected: string): Error =>
    problem('models', { what: `${subject}: ${name} is not usable`, got, expected });
  if (!(temperature >= 0 && temperature < Infinity)) throw wrong('temperature', temperature, 'a number ≥ 0');
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1)) throw wrong('topK', topK, 'an integer ≥ 1');
  if (topP !== undefined && !(topP > 0 && topP <= 1)) throw wrong('topP', topP, 'a number > 0 and ≤ 1');
  if (temperature === 0 && (topK !== undefined || topP !== undefined)) {
    throw problem('models', {
      what: `${subject}: topK and topP choose nothing where the most probable token is always taken`,
      got: { temperature, topK, topP },
      fix: 'set a temperature, such as 1',
    });
  }
  return { temperature, topK, topP };
}

function endTokens({ config, endTokens = [] }: Model): number[] {
  return [...readEndTokens('config.json', config), ...endTokens];
}
