import * as tf from '@tensorflow/tfjs';
import type { GroupedProducts } from '@dropbp/engine';
import { isTrainable } from '../../trainable.ts';
import { sumByRow } from '../rows.ts';
import { forwardOnly, withGradient } from '../withGradient.ts';
import type { ExpertRows } from './dealToExperts.ts';

/**
 * Each expert on its own tokens: rows are `[tokens · perToken, width]`, those of the first expert in front.
 *
 * @param chosen - int32 `[tokens, perToken]`
 */
export function groupedExperts(x: tf.Tensor, chosen: tf.Tensor, count: number, products: GroupedProducts): ExpertRows {
  const [tokens, perToken] = chosen.shape as [number, number];
  const n = tokens * perToken;
  const ofAll = tf.reshape(chosen, [n]);
  /** For each row, which of the choices it is; equal experts in the order of the tokens. */
  const order = forwardOnly(() => {
    const keys = tf.add(tf.mul(ofAll, tf.scalar(n, 'int32')), tf.range(0, n, 1, 'int32'));
    return sorted(keys, n);
  });
  /** For each choice, its row. */
  const places = forwardOnly(() => tf.reshape(sorted(order, n), [tokens, perToken]));
  const owners = forwardOnly(() => tf.floorDiv(order, tf.scalar(perToken, 'int32')));
  const counts = forwardOnly(() => tf.cast(tf.reshape(sumByRow(tf.ones([n, 1]), ofAll, count), [count]), 'int32'));

  const rows = withGradient(
    [x],
    save => {
      save([places]);
      return tf.gather(x, owners);
    },
    (dy, [saved]) => [tf.sum(tf.gather(dy, saved!), 1)],
  );
  return {
    rows,
    multiply: (input, matrices, layout) => multiply(input, matrices, layout, counts, products),
    addRow: (input, biases) => addRow(input, biases, tf.gather(ofAll, order)),
    collect: (results, weights) => collect(results, weights, { places, order, owners }),
  };
}

/** Where the smallest number stands, and so on: int32 `[n]`. */
function sorted(keys: tf.Tensor, n: number): tf.Tensor {
  return tf.topk(tf.neg(keys), n, true).indices;
}

function multiply(
  rows: tf.Tensor,
  matrices: tf.Tensor,
  layout: Parameters<ExpertRows['multiply']>[2] = 'outIn',
  counts: tf.Tensor,
  products: GroupedProducts,
): tf.Tensor {
  const isTurned = layout === 'outIn';
  const trains = isTrainable(matrices);
  return withGradient(
    [rows, ...(trains ? [matrices] : [])],
    save => {
      save(trains ? [counts, rows, matrices] : [counts]);
      return products.multiply(rows, matrices, counts, isTurned);
    },
    (dy, [sizes, input, saved], [isInputWanted]) => [
      isInputWanted ? products.multiply(dy, saved ?? matrices, sizes!, !isTurned) : undefined,
      ...(input === undefined
        ? []
        : [isTurned ? products.outer(dy, input, sizes!) : products.outer(input, dy, sizes!)]),
    ],
  );
}

function addRow(rows: tf.Tensor, biases: tf.Tensor, experts: tf.Tensor): tf.Tensor {
  const trained = isTrainable(biases) ? [biases] : [];
  return withGradient(
    [rows, ...trained],
    save => {
      save(trained.length > 0 ? [experts] : []);
      return tf.add(rows, tf.gather(biases, experts));
    },
    (dy, [saved]) => [dy.clone(), ...trained.map(() => sumByRow(dy, saved!, biases.shape[0]))],
  );
}

/** How rows and choices belong together. */
interface Order {
  readonly places: tf.Tensor;
  readonly order: tf.Tensor;
  readonly owners: tf.Tensor;
}

function collect(rows: tf.Tensor, weights: tf.Tensor, { places, order, owners }: Order): tf.Tensor {
  return withGradient(
    [rows, weights],
    save => {
      save([rows, weights, places, order, owners]);
      return tf.sum(tf.mul(tf.gather(rows, places), tf.expandDims(weights, -1)), 1);
    },
    (dy, [rows, weights, places, order, owners], [areRowsWanted, areWeightsWanted]) => {
      const ofRows = (): tf.Tensor =>
        tf.mul(tf.gather(dy, owners!), tf.expandDims(tf.gather(tf.reshape(weights!, [-1]), order!), -1));
      return [
        areRowsWanted ? ofRows() : undefined,
        areWeightsWanted ? tf.sum(tf.mul(tf.gather(rows!, places!), tf.expandDims(dy, 1)), -1) : undefined,
      ];
    },
  );
}
