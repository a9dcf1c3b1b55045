import * as tf from '@tensorflow/tfjs';
import { bucketLength, checkOptions, problem, seededRandom } from '@dropbp/basics';
import {
  activeEngine,
  headLogits,
  hiddenStates,
  plainRunnable,
  settled,
  type HiddenStatesOptions,
  type Model,
  type Runnable,
} from '@dropbp/core';
import { keyValueCache } from './keyValueCache.ts';
import { sampleToken, type Sampling } from './sampleToken.ts';

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
  /** Tokens that end the text. They are not given out. @defaultValue `eos_token_id` of the configuration */
  readonly stopTokens?: readonly number[];
  /** Ends the generation: the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

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
  subject: Model | Runnable,
  tokens: readonly number[] | Int32Array,
  options: GenerateOptions = {},
): AsyncIterable<number> {
  checkOptions('models', 'generate()', options, [
    ...['maxNewTokens', 'temperature', 'topK', 'topP', 'seed', 'stopTokens', 'signal'],
  ]);
  const runnable = 'branchScopes' in subject ? subject : plainRunnable(subject);
  const { model, virtualTokens = 0, virtualKeys = 0 } = runnable;
  checkTokens(tokens, model.vocabSize);
  const virtual = virtualTokens + virtualKeys;
  const maxNewTokens = newTokens(options.maxNewTokens, tokens.length, virtual, model.maxPositions);
  const stop = new Set(options.stopTokens ?? endTokens(model));
  return tokensOf(runnable, Int32Array.from(tokens), { ...options, ...checkSampling(options), maxNewTokens, stop });
}

interface Plan extends Sampling {
  readonly maxNewTokens: number;
  readonly stop: ReadonlySet<number>;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

async function* tokensOf(subject: Runnable, prompt: Int32Array, plan: Plan): AsyncGenerator<number> {
  const random = seededRandom(plan.seed ?? Math.floor(Math.random() * 2 ** 32));
  const cache = keyValueCache();
  const { runnable, dispose } = settled(subject);
  try {
    plan.signal?.throwIfAborted();
    let pass = lastLogits(runnable, prompt, promptPadding(runnable, prompt.length), { cacheSlot: cache.slot });
    for (let count = 1; ; count++) {
      const token = sampleToken(await read(pass.logits), plan, random);
      if (plan.stop.has(token)) return;
      yield token;
      if (count === plan.maxNewTokens) return;
      plan.signal?.throwIfAborted();
      const offset = pass.length;
      cache.makeRoom(offset);
      const options = { offset, cacheCapacity: cache.capacity, cacheSlot: cache.slot };
      pass = lastLogits(runnable, Int32Array.of(token), 0, options);
    }
  } finally {
    cache.dispose();
    dispose();
  }
}

interface Pass {
  /** Logits of the last token, `[1, 1, vocabSize]`. */
  readonly logits: tf.Tensor;
  /** The sequence so far, virtual tokens included. */
  readonly length: number;
}

interface PassOptions extends HiddenStatesOptions {
  readonly offset?: number;
}

/** @param padding - tokens to add at the end, which no other sees */
function lastLogits(runnable: Runnable, tokens: Int32Array, padding: number, options: PassOptions): Pass {
  let length = 0;
  const logits = tf.tidy(() => {
    const padded = new Int32Array(tokens.length + padding);
    padded.set(tokens);
    const hidden = hiddenStates(runnable, tf.tensor2d(padded, [1, padded.length], 'int32'), options);
    const time = hidden.shape[1]! - padding;
    length = (options.offset ?? runnable.virtualKeys ?? 0) + time;
    const last = hidden.shape[1] === 1 ? hidden : tf.gather(hidden, tf.tensor1d([time - 1], 'int32'), 1);
    return headLogits(runnable, last);
  });
  return { logits, length };
}

/**
 * How many tokens to add to a prompt, so that an engine compiles few lengths. What the added ones leave in the cache is hidden
 * until the text's own tokens replace it.
 */
function promptPadding({ model, virtualTokens = 0, virtualKeys = 0 }: Runnable, length: number): number {
  if (activeEngine() === undefined) return 0;
  return bucketLength(length, model.maxPositions - virtualTokens - virtualKeys) - length;
}

async function read(logits: tf.Tensor): Promise<Float32Array> {
  try {
    const values = (await logits.data()) as Float32Array;
    if (!values.some(Number.isNaN)) return values;
  } finally {
    logits.dispose();
  }
  throw problem('models', { what: 'the logits are not numbers', fix: 'look for NaN in the weights or the adapter' });
}

function checkTokens(tokens: readonly number[] | Int32Array, vocabSize: number): void {
  const wrong = tokens.findIndex(token => !Number.isInteger(token) || token < 0 || token >= vocabSize);
  if (tokens.length > 0 && wrong === -1) return;
  throw problem('models', {
    what: tokens.length === 0 ? 'generate() has no token to go on from' : `generate(): no such token at ${wrong}`,
    got: tokens.length === 0 ? [] : tokens[wrong],
    expected: tokens.length === 0 ? 'at least one token' : `an integer from 0 to ${vocabSize - 1}`,
  });
}

function newTokens(asked: number | undefined, given: number, virtual: number, maxPositions: number): number {
  const room = maxPositions - virtual - given;
  const count = asked ?? Math.max(1, room);
  if (!Number.isInteger(count) || count < 1) {
    throw problem('models', { what: 'generate(): maxNewTokens is not usable', got: count, expected: 'an integer ≥ 1' });
  }
  if (count <= room) return count;
  throw problem('models', {
    what: 'the text would be longer than the model has positions for',
    got: `${given} tokens and ${count} new ones${virtual === 0 ? '' : `, behind ${virtual} virtual ones`}`,
    expected: `${maxPositions} in all`,
    fix: room < 1 ? 'shorten the text' : `set maxNewTokens to ${room}, or shorten the text`,
  });
}

function checkSampling({ temperature = 0, topK, topP }: GenerateOptions): Sampling {
  const wrong = (name: string, got: unknown, expected: string): Error =>
    problem('models', { what: `generate(): ${name} is not usable`, got, expected });
  if (!(temperature >= 0 && temperature < Infinity)) throw wrong('temperature', temperature, 'a number ≥ 0');
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1)) throw wrong('topK', topK, 'an integer ≥ 1');
  if (topP !== undefined && !(topP > 0 && topP <= 1)) throw wrong('topP', topP, 'a number > 0 and ≤ 1');
  if (temperature === 0 && (topK !== undefined || topP !== undefined)) {
    throw problem('models', {
      what: 'generate(): topK and topP choose nothing where the most probable token is always taken',
      got: { temperature, topK, topP },
      fix: 'set a temperature, such as 1',
    });
  }
  return { temperature, topK, topP };
}

/** The configuration's `eos_token_id`: a token, several, or none. */
function endTokens({ config }: Model): number[] {
  const end = config.eos_token_id ?? [];
  const tokens: unknown[] = Array.isArray(end) ? end : [end];
  if (tokens.every(token => Number.isInteger(token))) return tokens as number[];
  throw problem('models', {
    what: 'config.json: eos_token_id is not usable',
    got: end,
    expected: 'a token or a list of tokens',
    fix: 'pass stopTokens',
  });
}
