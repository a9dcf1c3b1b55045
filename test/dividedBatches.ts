import * as tf from '@tensorflow/tfjs';
import { seededRandom } from '@dropbp/basics';
import { forwardOnly, IGNORED_LABEL, type Adapter, type Batch, type Hooks } from '@dropbp/core';
import type { Tuned } from '@dropbp/compose';

/** Rows of a batch, as lists of numbers. */
export interface BatchRows {
  readonly inputIds: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
  readonly attentionMask?: readonly (readonly number[])[];
  readonly positions?: readonly (readonly number[])[];
}

const random = seededRandom(41);
const tokens = (count: number): number[] => Array.from({ length: count }, () => Math.floor(random() * 20));

/** A row of stretches, each of so many tokens, labelled or not, filled up by padding. */
function row(
  stretches: readonly (readonly [count: number, isLabelled: boolean])[],
  time: number,
): [number[], number[], number[]] {
  const ids = stretches.flatMap(([count]) => tokens(count));
  const marks = stretches.flatMap(([count, isLabelled]) => new Array<boolean>(count).fill(isLabelled));
  const fill = <T>(values: readonly T[], value: T): T[] => [
    ...values,
    ...new Array<T>(time - values.length).fill(value),
  ];
  const labels = ids.map((id, i) => (marks[i] === true ? id : IGNORED_LABEL));
  return [
    fill(ids, 0),
    fill(labels, IGNORED_LABEL),
    fill(
      ids.map(() => 1),
      0,
    ),
  ];
}

function rows(time: number, ...all: (readonly (readonly [number, boolean])[])[]): BatchRows {
  const made = all.map(stretches => row(stretches, time));
  return {
    inputIds: made.map(([ids]) => ids),
    labels: made.map(([, labels]) => labels),
    attentionMask: made.map(([, , mask]) => mask),
  };
}

const equal = rows(10, [[7, false], [3, true]], [[7, false], [3, true]]); // prettier-ignore
const onLeft = rows(10, [[5, false], [4, true]], [[7, false], [3, true]]); // prettier-ignore

/** Batches whose rows have prompts of several kinds. */
export const batches: Readonly<Record<string, BatchRows>> = {
  'prompts of one length': { inputIds: equal.inputIds, labels: equal.labels },
  'prompts of different lengths': rows(11, [[7, false], [3, true]], [[2, false], [6, true]], [[9, false], [2, true]]), // prettier-ignore
  'several turns': rows(12, [[4, false], [2, true], [3, false], [2, true]], [[6, false], [1, true], [2, false], [1, true]]), // prettier-ignore
  'padding on the left': {
    inputIds: onLeft.inputIds.map(ids => [...ids.slice(9), ...ids.slice(0, 9)]),
    labels: onLeft.labels
      .map(labels => [...labels.slice(9), ...labels.slice(0, 9)])
      .map(([, ...rest]) => [IGNORED_LABEL, ...rest]),
    attentionMask: [[0, ...new Array<number>(9).fill(1)], new Array<number>(10).fill(1)],
  },
  'a row without a prompt, and one without a label': rows(8, [[8, true]], [[8, false]], [[5, false], [3, true]]), // prettier-ignore
};

/** Rows of several texts. */
export const packed: BatchRows = {
  ...rows(11, [[3, false], [2, true], [4, false], [2, true]], [[5, false], [1, true], [2, false], [1, true]]), // prettier-ignore
  positions: [
    [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5],
    [0, 1, 2, 3, 4, 5, 0, 1, 2, 0, 0],
  ],
};

const system = tokens(6);
/** Rows that begin alike: all of them with six tokens, two with eight. */
export const alike: BatchRows = (() => {
  const { inputIds, ...others } = rows(12, [[9, false], [2, true]], [[8, false], [3, true]], [[9, false], [3, true]]); // prettier-ignore
  const [a, b, c] = inputIds as [number[], number[], number[]];
  const begin = (...ids: number[]): number[] => [...system, ...ids];
  return { ...others, inputIds: [begin(1, 2, ...a.slice(8)), begin(3, ...b.slice(7)), begin(1, 2, ...c.slice(8))] };
})();

/** Prompts so long that they run in several parts, and of all lengths. */
export const long: BatchRows = rows(
  170,
  ...Array.from({ length: 16 }, (_, i): [number, boolean][] => [
    [150 - 9 * i, false],
    [3 + i, true],
  ]),
);

/** The batch as tensors. The caller owns them. */
export function makeBatch({ inputIds, labels, attentionMask, positions }: BatchRows): Batch {
  const make = (values: readonly (readonly number[])[]): tf.Tensor =>
    tf.tensor2d(values.map(of => [...of]), undefined, 'int32'); // prettier-ignore
  return {
    inputIds: make(inputIds),
    labels: make(labels),
    ...(attentionMask !== undefined && { attentionMask: make(attentionMask) }),
    ...(positions !== undefined && { positions: make(positions) }),
  };
}

/** 1 for each token whose keys and values take a gradient: those of a text from the one that predicts its first label. */
export function ofAnswers({ labels, positions }: BatchRows): number[][] {
  return labels.map((own, row) => {
    const startOf = (t: number): number => (positions === undefined ? 0 : t - positions[row]![t]!);
    return own.map((_, t) => {
      const start = startOf(t);
      return own.some((label, at) => at > 0 && at - 1 <= t && startOf(at - 1) === start && label !== IGNORED_LABEL)
        ? 1
        : 0;
    });
  });
}

/** The same adapter, with keys and values of prompts as constants: what dropping prompts computes, in one plain pass. */
export function withConstantPrompts(adapter: Adapter, given: BatchRows): Adapter {
  const answers = ofAnswers(given);
  return {
    ...adapter,
    attach(model) {
      const attachment = adapter.attach(model);
      const { hooks, virtualTokens = 0 } = attachment;
      const constant = (x: tf.Tensor): tf.Tensor => {
        const mask = answers.map(row => [...new Array<number>(virtualTokens).fill(1), ...row]);
        const kept = tf.tensor4d(mask.flat(), [mask.length, 1, mask[0]!.length, 1]);
        return tf.add(tf.mul(x, kept), forwardOnly(() => tf.mul(x, tf.sub(1, kept)))); // prettier-ignore
      };
      const withConstants: Hooks = {
        ...hooks,
        keyValue(name, { keys, values }, p) {
          const pair = { keys: constant(keys), values: constant(values) };
          return hooks.keyValue === undefined ? pair : hooks.keyValue(name, pair, p);
        },
      };
      return { ...attachment, hooks: withConstants };
    },
  };
}

/** Moves all parameters away from where they start, equally for equal adapters. */
export function disturb({ parameters }: Tuned): void {
  const random = seededRandom(43);
  for (const parameter of parameters.values()) {
    const noise = tf.tensor(Float32Array.from({ length: parameter.size }, () => random.normal() * 0.2), parameter.shape); // prettier-ignore
    const moved = tf.add(parameter, noise);
    parameter.assign(moved);
    tf.dispose([noise, moved]);
  }
}
