import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { IGNORED_LABEL, type Batch } from '../../contract/batch.ts';
import type { Scope } from '../../contract/branch.ts';
import type { Hooks } from '../../contract/hooks.ts';
import type { Head } from '../../contract/model.ts';
import type { TracedFunction } from '@dropbp/engine';
import { crossEntropy, linearCrossEntropy, type Targets } from '../../ops/crossEntropy.ts';
import { takeRows } from '../../ops/rows.ts';
import { reshape, scale } from '../../ops/shapes.ts';
import { packScope, unpackScope, type CompiledInputs } from '../pass/compiledInputs.ts';
import { headScope, ownHeadBias, ownHeadWeight, projectLogits } from './headLogits.ts';
import type { Runnable } from '../runnable.ts';
import { sumWithGradients } from './sumWithGradients.ts';

/** The positions of a batch that predict a label that counts. */
export interface LabelledRows {
  /** Position in the flattened `[batch · time]`; −1 − row for the virtual token in front of a row. */
  readonly positions: Int32Array;
  /** The next token's label for each of them. */
  readonly labels: Int32Array;
  /** Sequences of the batch. */
  readonly batch: number;
  /** Tokens of each sequence. */
  readonly time: number;
}

/** Rows that go through the head at a time, so that `[rows, vocabSize]` stays small. */
const CHUNK = 128;
/** A shorter chunk is filled up to a multiple of this, so that an engine sees few shapes. */
const GRAIN = 32;
/** The name of a chunk's rows among the inputs of its function. */
const STATES = 'x';

/**
 * Finds the positions whose next token has a label that counts.
 *
 * @param virtualTokens - in front of every sequence: the last of them predicts the first token, as in PEFT. @defaultValue 0
 * @throws Problem if the batch is misshapen or no label counts
 */
export async function labelledRows(batch: Batch, vocabSize: number, virtualTokens = 0): Promise<LabelledRows> {
  const [rows, time] = batch.inputIds.shape as [number, number];
  if (batch.inputIds.rank !== 2 || String(batch.labels.shape) !== String(batch.inputIds.shape)) {
    throw problem('core', {
      what: 'the batch is misshapen',
      got: { inputIds: batch.inputIds.shape, labels: batch.labels.shape },
      expected: 'inputIds and labels of one shape [batch, time]',
    });
  }
  const labels = await batch.labels.data();
  const positions: number[] = [];
  const targets: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let t = virtualTokens > 0 ? -1 : 0; t + 1 < time; t++) {
      const label = labels[row * time + t + 1]!;
      if (label === IGNORED_LABEL) continue;
      if (label < 0 || label >= vocabSize) {
        throw problem('core', {
          what: `the label at [${row}, ${t + 1}] is not a token`,
          got: label,
          expected: `0 to ${vocabSize - 1}, or ${IGNORED_LABEL} for a position that does not count`,
        });
      }
      positions.push(t < 0 ? -1 - row : row * time + t);
      targets.push(label);
    }
  }
  if (positions.length === 0) {
    throw problem('core', {
      what: 'no label of the batch counts',
      expected: `at least one label other than ${IGNORED_LABEL} after the first position`,
      fix: 'leave such batches out',
    });
  }
  return { positions: Int32Array.from(positions), labels: Int32Array.from(targets), batch: rows, time };
}

/**
 * Mean cross-entropy over the labelled rows, a scalar. Only these rows go through the head, a chunk at a time, and each
 * chunk's gradient is computed with its loss, so that logits and probabilities of one chunk at most exist.
 *
 * @param hidden - `[batch, time, hiddenSize]` before the final norm; longer than the labels where virtual tokens precede
 */
export function causalLoss(runnable: Runnable, hidden: tf.Tensor, rows: LabelledRows): tf.Tensor {
  const [batch, time, width] = hidden.shape as [number, number, number];
  const virtual = time - rows.time;
  const flat = reshape(hidden, [batch * time, width]);
  const count = rows.positions.length;
  const scope = headScope(runnable);
  const chunks: CompiledInputs[] = [];
  const sizes: number[] = [];
  const taken: number[] = [];
  for (let start = 0; start < count; start += CHUNK) {
    const real = Math.min(CHUNK, count - start);
    const size = Math.ceil(real / GRAIN) * GRAIN;
    const own = new Int32Array(size).fill(-1); // the rows among the tokens of the batch,
    const at = new Int32Array(size).fill(-1); // and behind virtual tokens
    const labels = new Int32Array(size);
    const weights = new Float32Array(size).fill(1 / count, 0, real);
    for (let i = 0; i < real; i++) {
      const position = rows.positions[start + i]!;
      const row = position < 0 ? -1 - position : Math.floor(position / rows.time);
      own[i] = Math.max(position, -1);
      at[i] = row * time + virtual + (position < 0 ? -1 : position % rows.time);
      labels[i] = rows.labels[start + i]!;
    }
    const frozen = { labels: tf.tensor1d(labels, 'int32'), weights: tf.tensor1d(weights) };
    const chunk: CompiledInputs = { differentiable: {}, frozen };
    packScope(chunk, scopeOfRows(scope, rows, own));
    chunks.push(chunk);
    sizes.push(size);
    for (const place of at) taken.push(place);
  }
  const { head } = runnable.model;
  const isProduct =
    head.logitCap === undefined && !runnable.adaptedModules.has(head.path) && !(ownHeadBias(head) in scope);
  const lossOf = isProduct ? productLoss : projectedLoss;
  const states = { rows: takeRows(flat, Int32Array.from(taken)), sizes, name: STATES };
  return sumWithGradients(chunks, [head, runnable.hooks, lossOf], chunkFunction(runnable, lossOf), states);
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

function chunkFunction({ model: { head }, hooks }: Runnable, lossOf: LossOfStates): TracedFunction {
  return inputs => {
    const p = unpackScope(inputs);
    const states = head.normalize(inputs[STATES]!, p);
    return lossOf(states, { labels: inputs.labels!, weights: inputs.weights! }, head, p, hooks);
  };
}

/** The loss of normalised states. */
type LossOfStates = (states: tf.Tensor, targets: Targets, head: Head, p: Scope, hooks: Hooks) => tf.Tensor;

const projectedLoss: LossOfStates = (states, targets, head, p, hooks) =>
  crossEntropy(projectLogits(head, states, p, hooks), targets);

/** Where the logits are a product with the projection's weight, and a factor. */
const productLoss: LossOfStates = (states, targets, head, p) => {
  const { logitFactor = 1 } = head;
  const scaled = logitFactor === 1 ? states : scale(states, logitFactor);
  return linearCrossEntropy(scaled, (p[ownHeadWeight(head)] ?? p[head.weight])!, targets);
};
