import * as tf from '@tensorflow/tfjs';
import type { Scope } from '../../contract/branch.ts';
import type { LabelledRows } from '../../contract/objective.ts';
import { takeRows } from '../../ops/rows.ts';
import { reshape } from '../../ops/shapes.ts';
import { packScope, type CompiledInputs } from '../pass/compiledInputs.ts';
import type { SharedOut } from './sumWithGradients.ts';

/** Rows that go through the head at a time, so that `[rows, vocabSize]` stays small. */
const CHUNK = 128;
/** A shorter chunk is filled up to a multiple of this, so that an engine sees few shapes. */
const GRAIN = 32;
/** The name of a chunk's rows among the inputs of its function. */
export const STATES = 'x';

/** Labelled rows in chunks: what the function of a chunk reads beside its states, and the states of all chunks. */
export interface LabelChunks {
  /** With the head's tensors, `labels` and `weights`, both `[rows]`, of each chunk. */
  readonly parts: readonly CompiledInputs[];
  /** The states of all labelled rows, chunk behind chunk. */
  readonly states: SharedOut;
}

/**
 * Cuts labelled rows into chunks, each filled up with rows of weight 0.
 *
 * @param hidden - `[batch, time, hiddenSize]`; longer than the labels where virtual tokens precede
 * @param weight - how much each label counts
 */
export function labelChunks(scope: Scope, hidden: tf.Tensor, rows: LabelledRows, weight: number): LabelChunks {
  const [batch, time, width] = hidden.shape as [number, number, number];
  const virtual = time - rows.time;
  const flat = reshape(hidden, [batch * time, width]);
  const count = rows.positions.length;
  const parts: CompiledInputs[] = [];
  const sizes: number[] = [];
  const taken: number[] = [];
  for (let start = 0; start < count; start += CHUNK) {
    const real = Math.min(CHUNK, count - start);
    const size = Math.ceil(real / GRAIN) * GRAIN;
    const own = new Int32Array(size).fill(-1); // the rows among the tokens of the batch,
    const at = new Int32Array(size).fill(-1); // and behind virtual tokens
    const labels = new Int32Array(size);
    const weights = new Float32Array(size).fill(weight, 0, real);
    for (let i = 0; i < real; i++) {
      const position = rows.positions[start + i]!;
      own[i] = Math.max(position, -1);
      at[i] = placeInPass(position, rows.time, virtual);
      labels[i] = rows.labels[start + i]!;
    }
    const frozen = { labels: tf.tensor1d(labels, 'int32'), weights: tf.tensor1d(weights) };
    const part: CompiledInputs = { differentiable: {}, frozen };
    packScope(part, scopeOfRows(scope, rows, own));
    parts.push(part);
    sizes.push(size);
    for (const place of at) taken.push(place);
  }
  return { parts, states: { rows: takeRows(flat, Int32Array.from(taken)), sizes, name: STATES } };
}

/** Where a position of `[batch · time]` stands among states that begin with virtual tokens in each row. */
export function placeInPass(position: number, time: number, virtual: number): number {
  const row = position < 0 ? -1 - position : Math.floor(position / time);
  return row * (time + virtual) + virtual + (position < 0 ? -1 : position % time);
}

/** The scope with those rows of each tensor that holds something for every token, such as a dropout mask. */
function scopeOfRows(scope: Scope, { batch, time }: LabelledRows, at: Int32Array): Scope {
  const entries = Object.entries(scope).map(([name, tensor]): [string, tf.Tensor] => {
    const isByToken = tensor.rank === 3 && tensor.shape[0] === batch && tensor.shape[1] === time;
    if (!isByToken) return [name, tensor];
    return [name, takeRows(tf.reshape(tf.cast(tensor, 'float32'), [batch * time, -1]), at)];
  });
  return Object.fromEntries(entries);
}
