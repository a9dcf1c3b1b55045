import * as tf from '@tensorflow/tfjs';
import { bucketLength, problem, type SeededRandom } from '@dropbp/basics';
import { activeEngine, headLogits, encodeForPasses, runPass, type Runnable } from '@dropbp/core';
import { joinCaches, keyValueCache, type KeyValueCache } from './keyValueCache.ts';
import { sampleToken, type Sampling } from './sampleToken.ts';

/** Texts that begin alike: with one model, or with one of its adapters. */
export interface PromptGroup {
  readonly runnable: Runnable;
  readonly prompts: readonly Int32Array[];
}

/** How one text goes on. */
export interface RowPlan extends Sampling {
  readonly maxNewTokens: number;
  readonly stop: ReadonlySet<number>;
  readonly random: SeededRandom;
  /** Ends this text alone. */
  readonly signal?: AbortSignal | undefined;
}

/** How texts go on. */
export interface DecodePlan {
  /** In the order of the groups. */
  readonly rows: readonly RowPlan[];
  /** Ends all of them with an error. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Continues texts, one token of each after the other, until all have ended. Each group runs through its prompts alone; from
 * there on all rows run together.
 *
 * @param together - what runs all rows, in the order of the groups, once their prompts are in the cache
 * @returns for each step a token of each row; undefined for one that has ended
 */
export async function* decodeRows(
  groups: readonly PromptGroup[],
  together: Runnable,
  plan: DecodePlan,
): AsyncGenerator<(number | undefined)[], void, undefined> {
  const { signal } = plan;
  const encoders = encodeEachOnce();
  let cache: KeyValueCache | undefined;
  try {
    signal?.throwIfAborted();
    const encoded = groups.map(({ runnable, prompts }) => ({ runnable: encoders.of(runnable), prompts }));
    const ready = encoded.flatMap(splitWhereWhole);
    const begun = begin(ready);
    cache = begun.cache;
    let { logits } = begun;
    const rows = begun.lengths.map((length, i) => ({
      length,
      plan: plan.rows[i]!,
      hasEnded: false,
      tokens: [] as number[],
    }));
    const haveEnded = (): boolean => rows.every(({ hasEnded }) => hasEnded);
    for (;;) {
      const values = await read(logits);
      const size = values.length / rows.length;
      const tokens = rows.map((row, i) => {
        row.hasEnded ||= row.plan.signal?.aborted === true;
        if (row.hasEnded) return undefined;
        const token = sampleToken(values.subarray(i * size, (i + 1) * size), row.plan, row.plan.random);
        row.hasEnded = row.plan.stop.has(token);
        if (row.hasEnded) return undefined;
        row.tokens.push(token);
        return token;
      });
      if (haveEnded()) return;
      yield tokens;
      for (const row of rows) row.hasEnded ||= row.tokens.length === row.plan.maxNewTokens;
      if (haveEnded()) return;
      signal?.throwIfAborted();
      const { positionsChangeBeyond } = together.model;
      if (rows.some(({ length, hasEnded }) => !hasEnded && length === positionsChangeBeyond)) {
        // The kept keys stand for positions of a shorter text.
        cache.dispose();
        ({ cache, logits } = begin(
          ready.map(({ runnable, prompts }, i) => ({ runnable, prompts: [joinTokens(prompts[0]!, rows[i]!.tokens)] })),
        ));
      } else {
        logits = nextLogits(encoders.of(together), cache, tokens, rows.map(({ length }) => length)); // prettier-ignore
      }
      for (const row of rows) if (!row.hasEnded) row.length++;
    }
  } finally {
    cache?.dispose();
    encoders.dispose();
  }
}

/** Each text alone, where positions follow from its length: what fills it up must not count. */
function splitWhereWhole({ runnable, prompts }: PromptGroup): PromptGroup[] {
  if (runnable.model.positionsChangeBeyond === undefined) return [{ runnable, prompts }];
  return prompts.map(prompt => ({ runnable, prompts: [prompt] }));
}

function joinTokens(first: Int32Array, rest: readonly number[]): Int32Array {
  const all = new Int32Array(first.length + rest.length);
  all.set(first);
  all.set(rest, first.length);
  return all;
}

/** Runs what an adapter's encoder does once for a whole generation. */
function encodeEachOnce(): { of: (runnable: Runnable) => Runnable; dispose: () => void } {
  const known = new Map<Runnable, ReturnType<typeof encodeForPasses>>();
  return {
    of(runnable) {
      const result = known.get(runnable) ?? encodeForPasses(runnable);
      known.set(runnable, result);
      return result.runnable;
    },
    dispose: () => known.forEach(({ dispose }) => dispose()), // prettier-ignore
  };
}

interface Begun {
  readonly cache: KeyValueCache;
  /** Logits of the last token of each row, `[rows, 1, vocabSize]`. */
  readonly logits: tf.Tensor;
  /** Tokens of each row that the cache holds, virtual ones included. */
  readonly lengths: readonly number[];
}

function begin(groups: readonly PromptGroup[]): Begun {
  const begun: Begun[] = [];
  try {
    for (const group of groups) begun.push(beginGroup(group));
  } catch (error) {
    for (const { cache, logits } of begun) {
      cache.dispose();
      logits.dispose();
    }
    throw error;
  }
  if (begun.length === 1) return begun[0]!;
  const parts = begun.map(({ logits }) => logits);
  const logits = tf.concat(parts);
  tf.dispose(parts);
  const cache = joinCaches(begun.map(part => part.cache)); // prettier-ignore
  return { cache, logits, lengths: begun.flatMap(({ lengths }) => lengths) };
}

function beginGroup({ runnable, prompts }: PromptGroup): Begun {
  const cache = keyValueCache();
  try {
    const time = promptLength(runnable, Math.max(...prompts.map(({ length }) => length)));
    let virtual = 0;
    const logits = tf.tidy(() => {
      const tokens = new Int32Array(prompts.length * time);
      prompts.forEach((prompt, row) => tokens.set(prompt, row * time));
      const ids = tf.tensor2d(tokens, [prompts.length, time], 'int32');
      const hidden = runPass(runnable, { inputIds: ids }, branch => ({ slot: cache.slot(branch) }));
      virtual = hidden.shape[1]! - time;
      return headLogits(runnable, lastStates(hidden, prompts.map(({ length }) => virtual + length - 1))); // prettier-ignore
    });
    const before = virtual + (runnable.virtualKeys ?? 0);
    return { cache, logits, lengths: prompts.map(({ length }) => before + length) };
  } catch (error) {
    cache.dispose();
    throw error;
  }
}

/** The states at one position of each row, `[rows, 1, hiddenSize]`. */
function lastStates(hidden: tf.Tensor, positions: readonly number[]): tf.Tensor {
  const [rows, time, width] = hidden.shape as [number, number, number];
  if (time === 1) return hidden;
  const at = tf.tensor1d(positions.map((position, row) => row * time + position), 'int32'); // prettier-ignore
  return tf.reshape(tf.gather(tf.reshape(hidden, [rows * time, width]), at), [rows, 1, width]);
}

function nextLogits(
  runnable: Runnable,
  cache: KeyValueCache,
  tokens: readonly (number | undefined)[],
  offset: readonly number[],
): tf.Tensor {
  cache.makeRoom(offset);
  return tf.tidy(() => {
    // A row that has ended goes on with some token, whose logits nobody reads.
    const ids = tf.tensor2d(tokens.map(token => token ?? 0), [tokens.length, 1], 'int32'); // prettier-ignore
    return headLogits(
      runnable,
      runPass(runnable, { inputIds: ids, offset, cacheCapacity: cache.capacity }, branch => ({
        slot: cache.slot(branch),
      })),
    );
  });
}

/**
 * To how many tokens prompts are filled up: to the longest, and further, so that an engine compiles few lengths. What the added
 * ones leave in the cache is hidden until the text's own tokens replace it.
 */
function promptLength({ model, virtualTokens = 0, virtualKeys = 0 }: Runnable, longest: number): number {
  return activeEngine() === undefined || model.positionsChangeBeyond !== undefined
    ? longest
    : bucketLength(longest, model.maxPositions - virtualTokens - virtualKeys);
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
