import * as tf from '@tensorflow/tfjs';
import type { TracedFunction } from '@dropbp/engine';
import type { Scope } from '../../contract/branch.ts';
import type { LabelledRows } from '../../contract/objective.ts';
import { labelLosses } from '../../ops/crossEntropy.ts';
import { sumByRow } from '../../ops/rows.ts';
import { withGradient } from '../../ops/withGradient.ts';
import { trainedInputs, unpackScope, type CompiledInputs } from '../pass/compiledInputs.ts';
import { isRecording, withoutTape } from '../pass/ownTape.ts';
import type { Runnable } from '../runnable.ts';
import { headScope, projectLogits } from './headLogits.ts';
import { labelChunks, STATES, type LabelChunks } from './labelChunks.ts';
import { rowsOfLabels } from './labelledRows.ts';
import { addTo, joinParts, runPart, withRows } from './sumWithGradients.ts';
import { tokenHead } from './tokenHead.ts';

/** The sums that {@link rowLogProbabilities} makes. */
export interface RowSums {
  /** How many sums there are. */
  readonly count: number;
  /** For each labelled position, the number of the sum that it goes into. */
  readonly rows: Int32Array;
}

/**
 * For each row the sum of the logarithms of its labels' probabilities, `[count]`. Labelled rows go through the head a chunk at a
 * time, so that logits of one chunk at most exist. The gradient of the states is computed with the values; where the head is
 * trained, each chunk runs once more in the backward pass. The caller owns the result.
 *
 * @param hidden - `[batch, time, hiddenSize]` before the final norm, as a loss gets it
 * @param rows - the labelled positions, as a loss gets them
 * @param sums - an objective that divides texts gives `{ count: rows.batch, rows: rowsOfLabels(rows) }` of the rows that its
 * `prepare` got, as a divided batch has other rows. @defaultValue a sum for each row of `rows`
 */
export function rowLogProbabilities(
  runnable: Runnable,
  hidden: tf.Tensor,
  rows: LabelledRows,
  sums: RowSums = { count: rows.batch, rows: rowsOfLabels(rows) },
): tf.Tensor1D {
  const scope = headScope(runnable);
  if (!isRecording()) {
    return tf.tidy(() => {
      const chunks = labelChunks(scope, hidden, rows, 1);
      return sumLosses(chunkLosses(runnable, chunks), sums);
    });
  }
  const chunks = labelChunks(scope, hidden, rows, 1);
  const trained = Object.values(chunks.parts[0]!.differentiable);
  const log = trained.length === 0 ? ofFrozenHead : ofTrainedHead;
  return log(runnable, chunks, { sums, scope, trained }) as tf.Tensor1D;
}

interface Rest {
  readonly sums: RowSums;
  readonly scope: Scope;
  /** What the head reads that is trained. */
  readonly trained: tf.Tensor[];
}

/** The gradient of a state is that of one logarithm, so it is there with the value and only scaled afterwards. */
function ofFrozenHead(runnable: Runnable, chunks: LabelChunks, { sums }: Rest): tf.Tensor {
  return withGradient(
    [chunks.states.rows],
    save => {
      const [losses, ofStates]: [tf.Tensor[], tf.Tensor[]] = [[], []];
      for (const part of withRows(chunks.parts, chunks.states)) {
        const [gradient, loss] = runGradients(runnable, part);
        losses.push(loss!);
        ofStates.push(gradient!);
      }
      save([joinParts(ofStates)]);
      return sumLosses(joinParts(losses), sums);
    },
    (dy, [ofStates]) => [tf.mul(ofStates!, tf.expandDims(spreadOver(chunks, sums, dy), 1))],
  );
}

/** What a weight of the head gets from a label is weighted by what arrives, which is known in the backward pass alone. */
function ofTrainedHead(runnable: Runnable, chunks: LabelChunks, { sums, scope, trained }: Rest): tf.Tensor {
  const { parts, states } = chunks;
  const ofScope = new Set(Object.values(scope));
  const ownNames = (part: CompiledInputs): string[] =>
    Object.keys(part.frozen).filter(name => !ofScope.has(part.frozen[name]!));
  return withGradient(
    [states.rows, ...trained],
    save => {
      save([states.rows, ...parts.flatMap(part => ownNames(part).map(name => part.frozen[name]!))]);
      return sumLosses(chunkLosses(runnable, chunks), sums);
    },
    (dy, [rows, ...saved]) => {
      const weights = spreadOver(chunks, sums, dy);
      let at = 0;
      let start = 0;
      const weighted = parts.map((part, i): CompiledInputs => {
        const own = ownNames(part).map((name): [string, tf.Tensor] => [name, saved[at++]!]);
        const ofPart = tf.slice(weights, [start], [states.sizes[i]!]);
        start += states.sizes[i]!;
        return { ...part, frozen: { ...part.frozen, ...Object.fromEntries(own), weights: ofPart } };
      });
      const ofStates: tf.Tensor[] = [];
      let ofTrained: tf.Tensor[] = [];
      for (const part of withRows(weighted, { ...states, rows: rows! })) {
        const [gradient, loss, ...others] = runGradients(runnable, part);
        loss!.dispose();
        ofStates.push(gradient!);
        ofTrained = ofTrained.length === 0 ? others : others.map((term, i) => addTo(ofTrained[i]!, term));
      }
      return [joinParts(ofStates), ...ofTrained];
    },
  );
}

/** What arrives at the sums, for each row of the chunks: negative, as the chunks give losses. */
function spreadOver({ states: { sizes } }: LabelChunks, { rows }: RowSums, dy: tf.Tensor): tf.Tensor {
  const nowhere = dy.size;
  const owners = new Int32Array(sizes.reduce((sum, size) => sum + size, 0)).fill(nowhere);
  owners.set(rows); // only the last chunk is filled up
  return tf.gather(tf.concat([tf.neg(dy), tf.zeros([1])]), tf.tensor1d(owners, 'int32'));
}

function sumLosses(losses: tf.Tensor, { count, rows }: RowSums): tf.Tensor1D {
  return tf.tidy(() => {
    const real = tf.slice(losses, [0], [rows.length]);
    const sums = sumByRow(tf.expandDims(real, 1), tf.tensor1d(rows, 'int32'), count);
    return tf.neg(tf.reshape(sums, [count]));
  });
}

/** The loss of each row of all chunks. */
function chunkLosses(runnable: Runnable, { parts, states }: LabelChunks): tf.Tensor {
  const losses: tf.Tensor[] = [];
  for (const part of withRows(parts, states)) {
    losses.push(runPart([value, ...keysOf(runnable)], () => lossesOf(runnable), part));
  }
  return joinParts(losses);
}

/** Gradients of Σ weight · loss by the states, by the weights (which are the losses), and by what is trained. */
function runGradients(runnable: Runnable, part: CompiledInputs): tf.Tensor[] {
  const make = (): TracedFunction<tf.Tensor[]> => inputs =>
    withoutTape(() => {
      const by = [STATES, 'weights', ...trainedInputs(inputs)].map(name => inputs[name]!);
      const weighted = (): tf.Tensor => tf.sum(tf.mul(inputs.weights!, lossesOf(runnable)(inputs)));
      const { value: sum, grads } = tf.engine().gradients(weighted, by, undefined, true);
      sum.dispose();
      return by.map((input, i) => grads[i] ?? tf.zerosLike(input));
    });
  return runPart([gradients, ...keysOf(runnable)], make, part);
}

// Tell what is compiled for one function from what is compiled for the other.
const [value, gradients] = [{}, {}];

function keysOf({ model: { head }, hooks }: Runnable): readonly object[] {
  return [head, hooks];
}

function lossesOf({ model, hooks }: Runnable): TracedFunction {
  const head = tokenHead(model);
  return inputs => {
    const p = unpackScope(inputs);
    return labelLosses(projectLogits(head, head.normalize(inputs[STATES]!, p), p, hooks), inputs.labels!);
  };
}
