import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, problem, ranges, turn } from '@dropbp/basics';
import { asRunnable, encodeForPasses, runPass, type Runnable } from '@dropbp/core';
import { paddedBatch } from '@dropbp/data';
import type { Embedder } from './embedder.ts';
import { encodeText } from './encodeText.ts';
import { embeddingsOf, unitRows } from './layers.ts';

/** Options of {@link embed}. */
export interface EmbedOptions {
  /** Texts that run at a time. @defaultValue 32 */
  readonly batchSize?: number;
  /** Name of the prompt in front of each text. @defaultValue the embedder's default one, where it has one */
  readonly prompt?: string;
  /** Keeps the first dimensions alone, with length 1 again where vectors had it: for models trained with matryoshka dimensions. @defaultValue all */
  readonly truncateDim?: number;
  /** Ends the work: it then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Embeds texts. Texts of like length run together, and the results have the order of the texts.
 *
 * @returns a vector of each text
 * @throws Problem for options that are not usable, a prompt that is not known, or a text without tokens
 *
 * @example
 * ```ts
 * const [query, answer] = await embed(embedder, ['Who wrote it?', 'Jane Austen wrote it.']);
 * ```
 */
export async function embed(
  embedder: Embedder,
  texts: readonly string[],
  options: EmbedOptions = {},
): Promise<Float32Array[]> {
  checkOptions('embed', 'embed()', options, ['batchSize', 'prompt', 'truncateDim', 'signal']);
  checkValue<unknown>('embed', 'embed(): texts', texts, areTexts, 'a list of texts');
  const { batchSize = 32, truncateDim, signal } = options;
  checkNumber('embed', 'embed(): batchSize', batchSize, ranges.count);
  if (truncateDim !== undefined) checkNumber('embed', 'embed(): truncateDim', truncateDim, ranges.count);
  const { tokenizer, maxLength } = embedder;
  const prompt = promptOf(embedder, options.prompt);
  const sequences = texts.map((text, i) => {
    const ids = encodeText(tokenizer, prompt + text, maxLength);
    if (ids.length > 0) return ids;
    throw problem('embed', { what: `text ${i} is empty: it makes 0 tokens`, got: text, fix: 'leave it out' });
  });
  const order = [...sequences.keys()].sort((a, b) => sequences[b]!.length - sequences[a]!.length || a - b);
  const vectors = new Array<Float32Array>(texts.length);
  const encoded = encodeForPasses(asRunnable(embedder.model));
  try {
    for (let start = 0; start < order.length; start += batchSize) {
      signal?.throwIfAborted();
      const rows = order.slice(start, start + batchSize);
      const own = rows.map(row => sequences[row]!);
      const made = await embedRows(embedder, encoded.runnable, { sequences: own, truncateDim });
      for (const [i, row] of rows.entries()) vectors[row] = made[i]!;
      await turn();
    }
  } finally {
    encoded.dispose();
  }
  return vectors;
}

interface Rows {
  readonly sequences: readonly (readonly number[])[];
  readonly truncateDim: number | undefined;
}

async function embedRows(
  embedder: Embedder,
  runnable: Runnable,
  { sequences, truncateDim }: Rows,
): Promise<Float32Array[]> {
  const padId = (embedder.tokenizer.padToken ?? embedder.tokenizer.eosToken)?.id ?? 0;
  const { labels, ...batch } = paddedBatch(sequences, { padId, longest: embedder.maxLength });
  labels.dispose();
  const [count, time] = batch.inputIds.shape as [number, number];
  const values = Uint8Array.from({ length: count * time }, (_, i) =>
    Number(i % time < sequences[Math.floor(i / time)]!.length),
  );
  const embeddings = tf.tidy(() => {
    const hidden = runPass(runnable, batch);
    const whole = embeddingsOf(embedder, runnable, { hidden, mask: { values, batch: count, time } });
    if (truncateDim === undefined) return whole;
    return shorten(embedder, whole, truncateDim);
  });
  const width = embeddings.shape[1]!;
  const data = await embeddings.data().finally(() => tf.dispose([embeddings, batch.inputIds, batch.attentionMask]));
  return sequences.map((_, row) => Float32Array.from(data.subarray(row * width, (row + 1) * width)));
}

function shorten({ layers }: Embedder, whole: tf.Tensor, dimensions: number): tf.Tensor {
  if (dimensions > whole.shape[1]!) {
    throw problem('embed', {
      what: 'truncateDim is too large',
      got: dimensions,
      expected: `at most ${whole.shape[1]}`,
    });
  }
  const first = tf.slice(whole, [0, 0], [-1, dimensions]);
  return layers.at(-1)?.kind === 'normalize' ? unitRows(first) : first;
}

function promptOf({ prompts, defaultPrompt }: Embedder, name = defaultPrompt): string {
  if (name === undefined) return '';
  if (Object.hasOwn(prompts, name)) return prompts[name]!;
  throw problem('embed', {
    what: 'the prompt is not known',
    got: name,
    expected: Object.keys(prompts).length === 0 ? 'none, as the embedder is without prompts' : `one of ${Object.keys(prompts).join(', ')}`, // prettier-ignore
  });
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(text => typeof text === 'string');
}
