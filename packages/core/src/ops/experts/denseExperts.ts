import * as tf from '@tensorflow/tfjs';
import { isTrainable } from '../../trainable.ts';
import { withGradient } from '../withGradient.ts';
import { isExpert } from './chooseExperts.ts';
import type { ExpertRows } from './dealToExperts.ts';

/** All experts on all tokens: rows are `[experts, tokens, width]`. */
export function denseExperts(x: tf.Tensor, chosen: tf.Tensor, count: number): ExpertRows {
  const rows = withGradient(
    [x],
    () => tf.tile(tf.expandDims(x, 0), [count, 1, 1]),
    dy => [tf.sum(dy, 0)],
  );
  return { rows, multiply, addRow, collect: (results, weights) => collect(results, weights, chosen, count) };
}

const multiply: ExpertRows['multiply'] = (rows, matrices, layout = 'outIn') => {
  const isTurned = layout === 'outIn';
  const trains = isTrainable(matrices);
  return withGradient(
    [rows, ...(trains ? [matrices] : [])],
    save => {
      save(trains ? [rows, matrices] : []);
      return tf.matMul(rows, matrices, false, isTurned);
    },
    (dy, [input, saved], [isInputWanted]) => [
      isInputWanted ? tf.matMul(dy, saved ?? matrices, false, !isTurned) : undefined,
      ...(input === undefined ? [] : [isTurned ? tf.matMul(dy, input, true) : tf.matMul(input, dy, true)]),
    ],
  );
};

const addRow: ExpertRows['addRow'] = (rows, biases) => {
  const trained = isTrainable(biases) ? [biases] : [];
  return withGradient(
    [rows, ...trained],
    () => tf.add(rows, tf.expandDims(biases, 1)),
    dy => [dy.clone(), ...trained.map(() => tf.sum(dy, 1))],
  );
};

function collect(rows: tf.Tensor, weights: tf.Tensor, chosen: tf.Tensor, count: number): tf.Tensor {
  /** `[experts, tokens, 1]`: 0 where a token did not choose an expert. */
  const weightOfEach = (ofChosen: tf.Tensor, experts: tf.Tensor): tf.Tensor => {
    const byToken = tf.sum(tf.mul(tf.expandDims(ofChosen, -1), isExpert(experts, count)), 1);
    return tf.expandDims(tf.transpose(byToken), -1);
  };
  return withGradient(
    [rows, weights],
    save => {
      save([rows, weights, chosen]);
      return tf.sum(tf.mul(rows, weightOfEach(weights, chosen)), 0);
    },
    (dy, [rows, weights, chosen], [areRowsWanted, areWeightsWanted]) => {
      const toEach = tf.expandDims(dy, 0);
      const ofWeights = (): tf.Tensor => {
        const ofEach = tf.transpose(tf.sum(tf.mul(rows!, toEach), -1));
        return tf.sum(tf.mul(tf.expandDims(ofEach, 1), isExpert(chosen!, count)), -1);
      };
      return [
        areRowsWanted ? tf.mul(toEach, weightOfEach(weights!, chosen!)) : undefined,
        areWeightsWanted ? ofWeights() : undefined,
      ];
    },
  );
}
