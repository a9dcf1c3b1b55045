import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { gradientCheck, savedBytes } from '@dropbp/testing';
import {
  activate,
  add,
  attention,
  crossEntropy,
  embedding,
  activateGate,
  HIDDEN,
  joinLast,
  layerNorm,
  linear,
  linearCrossEntropy,
  mergeHeads,
  reshape,
  rmsNorm,
  rope,
  ropeTables,
  scale,
  softCap,
  splitHeads,
  splitLast,
  takeRows,
  type Activation,
} from '../src/index.ts';

const random = seededRandom(11);

function numbers(shape: number[], scale = 1): tf.Tensor {
  return tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal() * scale),
    shape,
  );
}

function variable(shape: number[], scale = 1): tf.Variable {
  return tf.variable(numbers(shape, scale));
}

/** A scalar that weighs every entry of the result differently, so that no error cancels out. */
function weighed(result: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.sum(tf.mul(result, tf.sin(tf.reshape(tf.range(1, result.size + 1), result.shape)))));
}

async function expectGradients(f: () => tf.Tensor, inputs: tf.Variable[]): Promise<void> {
  const { worst, where } = await gradientCheck(() => weighed(f()), inputs);
  expect(worst, where).toBeLessThan(5e-3);
}

async function expectClose(actual: tf.Tensor, expected: tf.Tensor, tolerance = 1e-5): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  const worst = await tf.max(tf.abs(tf.sub(actual, expected))).data();
  expect(worst[0]).toBeLessThan(tolerance);
}

/** The value and the gradients of both, compared with tfjs's own operations and gradients. */
async function expectSame(ours: () => tf.Tensor, plain: () => tf.Tensor, inputs: tf.Variable[]): Promise<void> {
  const a = tf.engine().gradients(() => weighed(ours()), inputs);
  const b = tf.engine().gradients(() => weighed(plain()), inputs);
  await expectClose(a.value, b.value, 1e-4);
  for (const i of inputs.keys()) await expectClose(a.grads[i]!, b.grads[i]!, 1e-4);
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('linear', () => {
  const x = variable([2, 3, 4]);
  const bias = variable([5]);
  for (const layout of ['outIn', 'inOut'] as const) {
    const shape = layout === 'outIn' ? [5, 4] : [4, 5];
    const weight = variable(shape);
    const frozen = numbers(shape);
    it(`has the right gradient for trainable weights, ${layout}`, async () => {
      await expectGradients(() => linear(x, weight, { bias, layout }), [x, weight, bias]);
    });
    it(`has the right gradient for a frozen weight, ${layout}`, async () => {
      const frozenBias = numbers([5]);
      await expectGradients(() => linear(x, frozen, { bias: frozenBias, layout }), [x]);
      const product = tf.matMul(tf.reshape(x, [6, 4]), frozen, false, layout === 'outIn');
      await expectClose(
        linear(x, frozen, { bias: frozenBias, layout }),
        tf.reshape(tf.add(product, frozenBias), [2, 3, 5]),
      );
    });
    it(`saves nothing for a frozen weight, ${layout}`, () => {
      expect(savedBytes(() => linear(x, frozen, { layout }), [x])).toBe(0);
    });
  }
});

describe('norms', () => {
  const x = variable([2, 3, 6]);
  const weight = variable([6]);
  const bias = variable([6]);
  it('rmsNorm has the right value and gradient, weight trained or frozen', async () => {
    await expectGradients(() => rmsNorm(x, weight, 1e-5), [x, weight]);
    const frozen = numbers([6]);
    await expectGradients(() => rmsNorm(x, frozen, 1e-5), [x]);
    await expectSame(
      () => rmsNorm(x, weight, 1e-5),
      () => tf.mul(tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), weight),
      [x, weight],
    );
    expect(savedBytes(() => rmsNorm(x, frozen, 1e-5), [x], [x, frozen])).toBe(6 * 4);
  });
  it('rmsNorm may count its weight from one on', async () => {
    await expectGradients(() => rmsNorm(x, weight, 1e-5, 1), [x, weight]);
    await expectSame(
      () => rmsNorm(x, weight, 1e-5, 1),
      () => rmsNorm(x, tf.add(weight, 1), 1e-5),
      [x, weight],
    );
  });
  it('layerNorm may do without a bias', async () => {
    await expectGradients(() => layerNorm(x, weight, undefined, 1e-5), [x, weight]);
    await expectSame(
      () => layerNorm(x, weight, undefined, 1e-5),
      () => layerNorm(x, weight, tf.zeros([6]), 1e-5),
      [x, weight],
    );
  });
  it('layerNorm has the right value and gradient, weight trained or frozen', async () => {
    await expectGradients(() => layerNorm(x, weight, bias, 1e-5), [x, weight, bias]);
    const frozen = [numbers([6]), numbers([6])] as const;
    await expectGradients(() => layerNorm(x, ...frozen, 1e-5), [x]);
    const { mean, variance } = tf.moments(x, -1, true);
    await expectClose(
      layerNorm(x, weight, bias, 1e-5),
      tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), weight), bias),
    );
  });
});

describe('rope', () => {
  const frequencies = [1, 0.1, 0.01];
  it('turns pairs by the position and has the right gradient', async () => {
    const x = variable([2, 2, 4, 6]);
    const { cos, sin } = ropeTables(frequencies, [3, 4, 5, 6]);
    await expectGradients(() => rope(x, cos, sin), [x]);
    const turned = await rope(x, cos, sin).data();
    const values = await x.data();
    const [a, b, angle] = [values[6 + 1]!, values[6 + 4]!, 4 * 0.1]; // second token, second pair
    expect(turned[6 + 1]).toBeCloseTo(a * Math.cos(angle) - b * Math.sin(angle), 5);
    expect(turned[6 + 4]).toBeCloseTo(b * Math.cos(angle) + a * Math.sin(angle), 5);
  });
  it('turns neighbours where the layout is pairs', async () => {
    const x = variable([1, 1, 2, 8]);
    const { cos, sin } = ropeTables(frequencies, [4, 5], 1.5, 'pairs');
    await expectGradients(() => rope(x, cos, sin, 'pairs'), [x]);
    const [turned, values] = [await rope(x, cos, sin, 'pairs').data(), await x.data()];
    const [a, b, angle] = [values[8 + 2]!, values[8 + 3]!, 5 * 0.1]; // second token, second pair
    expect(turned[8 + 2]).toBeCloseTo(1.5 * (a * Math.cos(angle) - b * Math.sin(angle)), 5);
    expect(turned[8 + 3]).toBeCloseTo(1.5 * (b * Math.cos(angle) + a * Math.sin(angle)), 5);
    expect(Array.from(turned.slice(8 + 6))).toEqual(Array.from(values.slice(8 + 6)));
  });
  it('takes positions of each sequence', async () => {
    const x = variable([2, 1, 2, 6]);
    const first = ropeTables(frequencies, [0, 1]);
    const second = ropeTables(frequencies, [5, 6]);
    const both = (key: 'cos' | 'sin'): tf.Tensor => tf.reshape(tf.stack([first[key], second[key]]), [2, 1, 2, 6]);
    await expectGradients(() => rope(x, both('cos'), both('sin')), [x]);
    await expectClose(
      tf.slice(rope(x, both('cos'), both('sin')), [1], [1]),
      rope(tf.slice(x, [1], [1]), second.cos, second.sin),
    );
  });
});

describe('activations', () => {
  const x = variable([3, 4]);
  const up = variable([3, 4]);
  const expected: Record<Activation, (v: number) => number> = {
    silu: v => v / (1 + Math.exp(-v)),
    gelu: v => 0.5 * v * (1 + erf(v / Math.SQRT2)),
    geluTanh: v => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
    relu: v => Math.max(0, v),
  };
  it('softCap has the right value and gradient, and keeps its tanh alone', async () => {
    await expectGradients(() => softCap(x, 0.7), [x]);
    await expectSame(
      () => softCap(x, 0.7),
      () => tf.mul(tf.tanh(tf.div(x, 0.7)), 0.7),
      [x],
    );
    expect(savedBytes(() => softCap(x, 0.7), [x])).toBe(x.size * 4);
  });
  for (const name of Object.keys(expected) as Activation[]) {
    it(`${name} has the right value and gradient, alone and as a gate`, async () => {
      const values = await x.data();
      const got = await activate(x, name).data();
      got.forEach((value, i) => expect(value).toBeCloseTo(expected[name](values[i]!), 5));
      await expectGradients(() => activate(x, name), [x]);
      await expectGradients(() => activateGate(x, up, name), [x, up]);
      expect(savedBytes(() => activateGate(x, up, name), [x, up], [x, up])).toBe(0);
    });
  }
});

/** By its Taylor series, for |x| < 3. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

describe('attention', () => {
  interface Case {
    name: string;
    heads: number;
    groups: number;
    queries: number;
    keys: number;
    window?: number;
    chunk?: number;
    hidden?: number[];
    scoreCap?: number;
    ahead?: boolean;
  }
  const cases: Case[] = [
    { name: 'one head', heads: 1, groups: 1, queries: 4, keys: 4 },
    { name: 'grouped heads in chunks', heads: 4, groups: 2, queries: 5, keys: 5, chunk: 2 },
    { name: 'keys from before', heads: 2, groups: 1, queries: 3, keys: 6, chunk: 2 },
    { name: 'a sliding window in chunks', heads: 2, groups: 2, queries: 6, keys: 6, window: 3, chunk: 2 },
    { name: 'a sliding window narrower than a chunk', heads: 1, groups: 1, queries: 7, keys: 9, window: 2, chunk: 4 },
    { name: 'a sliding window as wide as two chunks', heads: 1, groups: 1, queries: 9, keys: 9, window: 6, chunk: 3 },
    { name: 'padding', heads: 2, groups: 1, queries: 5, keys: 5, chunk: 3, hidden: [1, 4] },
    { name: 'padding and keys from before', heads: 2, groups: 1, queries: 3, keys: 5, hidden: [1] },
    { name: 'tokens behind in chunks', heads: 4, groups: 2, queries: 5, keys: 5, chunk: 2, ahead: true },
    { name: 'tokens behind, padding and keys from before', heads: 1, groups: 1, queries: 4, keys: 6, chunk: 3, ahead: true, hidden: [3] }, // prettier-ignore
    { name: 'a window to both sides in chunks', heads: 2, groups: 1, queries: 9, keys: 9, window: 3, chunk: 2, ahead: true }, // prettier-ignore
    { name: 'a window to both sides, wider than a chunk', heads: 1, groups: 1, queries: 9, keys: 11, window: 5, chunk: 4, ahead: true }, // prettier-ignore
    { name: 'a window to both sides in one chunk', heads: 1, groups: 1, queries: 7, keys: 7, window: 2, ahead: true },
    { name: 'capped scores in chunks', heads: 2, groups: 1, queries: 5, keys: 6, chunk: 2, scoreCap: 0.5 },
  ];
  const size = 4;

  for (const { name, heads, groups, queries, keys, window, chunk, hidden, scoreCap, ahead = false } of cases) {
    const q = variable([2, heads, queries, size]);
    const k = variable([2, groups, keys, size]);
    const v = variable([2, groups, keys, size]);
    // In the second sequence alone; as long as the queries, so that the keys from before are all seen.
    const keyBias = hidden && tf.tensor2d([0, 1].map(row => Array.from({ length: queries }, (_, i) => (row === 1 && hidden.includes(i) ? HIDDEN : 0)))); // prettier-ignore
    const ours = (): tf.Tensor => attention(q, k, v, { window, ahead, scoreCap, keyBias, ...(chunk && { chunk }) });
    const plain = (): tf.Tensor => {
      const repeat = (x: tf.Tensor): tf.Tensor =>
        tf.reshape(tf.tile(tf.expandDims(x, 2), [1, 1, heads / groups, 1, 1]), [2, heads, keys, size]);
      const mask = tf.tensor2d(
        Array.from({ length: queries }, (_, i) =>
          Array.from({ length: keys }, (_, j) => {
            const position = keys - queries + i;
            const isSeen = ahead ? j < position + (window ?? Infinity) : j <= position;
            return isSeen && j > position - (window ?? Infinity) ? 0 : HIDDEN;
          }),
        ),
      );
      const products = tf.mul(tf.matMul(q, repeat(k), false, true), 1 / Math.sqrt(size));
      const capped = scoreCap === undefined ? products : tf.mul(tf.tanh(tf.div(products, scoreCap)), scoreCap);
      let scores = tf.add(capped, mask);
      if (keyBias) {
        const full = tf.concat([tf.zeros([2, keys - queries]), keyBias], 1);
        scores = tf.add(scores, tf.reshape(full, [2, 1, 1, keys]));
      }
      return tf.matMul(tf.softmax(scores), repeat(v));
    };
    it(`gives the value and gradient of the plain formula: ${name}`, async () => {
      const rows = queries * heads * 2;
      const a = tf.engine().gradients(() => weighed(ours()), [q, k, v]);
      await expectClose(ours(), plain(), 1e-5);
      await expectGradients(ours, [q, k, v]);
      expect(a.grads.map(grad => grad.shape)).toEqual([q.shape, k.shape, v.shape]);
      const saved = savedBytes(() => ours(), [q, k, v], [q, k, v, ...(keyBias ? [keyBias] : [])]);
      expect(saved).toBe(rows * size * 4); // its result alone
    });
  }
});

describe('attention of rows that hold several texts', () => {
  const size = 4;
  const [q, k, v] = [variable([1, 2, 7, size]), variable([1, 1, 9, size]), variable([1, 1, 9, size])];
  // Two keys in front of the queries, one query without a text, and texts of 3 and 3.
  const textStarts = tf.tensor2d([[0, 0, 0, 3, 3, 3]]);
  const part = (x: tf.Tensor, start: number, count: number): tf.Tensor =>
    tf.slice(x, [0, 0, start, 0], [-1, -1, count, -1]);
  const plain = (): tf.Tensor => {
    const seen = (x: tf.Tensor, own: number): tf.Tensor => tf.concat([part(x, 0, 3), part(x, own, 3)], 2);
    return tf.concat(
      [
        attention(part(q, 0, 1), part(k, 0, 3), part(v, 0, 3)),
        ...[3, 6].map(own => attention(part(q, own - 2, 3), seen(k, own), seen(v, own))),
      ],
      2,
    );
  };
  it.each([2, 3, 128])('lets each see itself and what is in front of all, in chunks of %i', async chunk => {
    const ours = (): tf.Tensor => attention(q, k, v, { textStarts, chunk });
    await expectClose(ours(), plain(), 1e-5);
    const gradients = (run: () => tf.Tensor): tf.Tensor[] =>
      tf.engine().gradients(() => weighed(run()), [q, k, v]).grads;
    const wanted = gradients(plain);
    for (const [i, gradient] of gradients(ours).entries()) await expectClose(gradient, wanted[i]!, 1e-5);
  });
  it('is refused where a window would hide what is in front', () => {
    expect(() => attention(q, k, v, { textStarts, window: 8 })).toThrow(
      'do not fit into the sliding window; got "a window of 8',
    );
    expect(attention(q, k, v, { textStarts, window: 9 }).shape).toEqual([1, 2, 7, size]);
    expect(() => attention(q, k, v, { textStarts, ahead: true })).toThrow('does not keep the texts of a row apart');
  });
});

describe('attention by a mask of the keys', () => {
  const [batch, heads, groups, front, queries, size] = [2, 4, 2, 5, 7, 4];
  const keys = front + queries;
  const q = variable([batch, heads, queries, size]);
  const [k, v] = [variable([batch, groups, queries, size]), variable([batch, groups, queries, size])];
  const before = { keys: numbers([batch, groups, front, size]), values: numbers([batch, groups, front, size]) };
  // Row 0: two texts, each with a part in front, and one key that nobody sees. Row 1: one text with half of all in front.
  const mask = {
    begins: [[0, 0, 3, 3, 0, 0, 1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]], // prettier-ignore
    ends: [[3, 3, 7, 7, 0, 3, 3, 3, 7, 7, 7, 7], [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]], // prettier-ignore
    positions: [[0, 1, 0, 1, 0, 2, 3, 4, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]], // prettier-ignore
  };
  const isSeen = (row: number, query: number, key: number, window: number): boolean => {
    const positions = mask.positions[row]!;
    const isNear = positions[front + query]! - positions[key]! < window;
    return mask.begins[row]![key]! <= query && query < mask.ends[row]![key]! && isNear;
  };
  const plain = (window: number): tf.Tensor => {
    const headsOf = tf.tensor1d([0, 0, 1, 1], 'int32');
    const repeat = (own: tf.Tensor, front: tf.Tensor): tf.Tensor => tf.gather(tf.concat([front, own], 2), headsOf, 1);
    const hidden = tf.tensor4d(
      [0, 1].map(row => [
        Array.from({ length: queries }, (_, query) =>
          Array.from({ length: keys }, (_, key) => (isSeen(row, query, key, window) ? 0 : HIDDEN)),
        ),
      ]),
    );
    const scores = tf.add(tf.mul(tf.matMul(q, repeat(k, before.keys), false, true), 1 / Math.sqrt(size)), hidden);
    return tf.matMul(tf.softmax(scores), repeat(v, before.values));
  };
  it.each([
    [Infinity, 128],
    [Infinity, 3],
    [3, 2],
  ])('is that of the plain formula, with a window of %s, in chunks of %s', async (window, chunk) => {
    const keyMask = {
      begins: tf.tensor2d(mask.begins),
      ends: tf.tensor2d(mask.ends),
      positions: tf.tensor2d(mask.positions),
    };
    const ours = (): tf.Tensor => attention(q, k, v, { keyMask, front: before, window, chunk });
    await expectSame(ours, () => plain(window), [q, k, v]);
  });
  it('saves nothing of what is in front again', () => {
    const [begins, ends] = [tf.tensor2d(mask.begins), tf.tensor2d(mask.ends)];
    const given = [q, k, v, begins, ends, before.keys, before.values];
    const saved = savedBytes(() => attention(q, k, v, { keyMask: { begins, ends }, front: before }), [q, k, v], given);
    expect(saved).toBe(batch * heads * queries * size * 4); // its result alone
  });
});

describe('rows', () => {
  const indices = tf.tensor2d([[0, 2], [2, 2]], [2, 2], 'int32'); // prettier-ignore
  it('embedding sums the gradients of a row that is looked up several times', async () => {
    const table = variable([4, 3]);
    await expectGradients(() => embedding(table, indices), [table]);
  });
  it('embedding of a frozen table records nothing', () => {
    const table = numbers([4, 3]);
    const other = numbers([2, 2, 3]);
    expect(savedBytes(() => add(embedding(table, indices), other), [other])).toBe(0);
  });
  it('takeRows takes rows, fills up with zeros and has the right gradient', async () => {
    const x = variable([4, 3]);
    const index = Int32Array.from([3, 1, -1]);
    await expectGradients(() => takeRows(x, index), [x]);
    await expectClose(
      takeRows(x, index),
      tf.concat([tf.slice(x, [3, 0], [1, 3]), tf.slice(x, [1, 0], [1, 3]), tf.zeros([1, 3])]),
    );
  });
});

describe('cross-entropy', () => {
  const labels = tf.tensor1d([2, 0, 4], 'int32');
  const weights = tf.tensor1d([1, 1, 0]);
  const targets = { labels, weights };
  const x = variable([3, 4]);
  const weight = variable([5, 4]);
  const plain = (logits: tf.Tensor): tf.Tensor => {
    const chosen = tf.sum(tf.mul(tf.logSoftmax(logits), tf.oneHot(labels, 5)), -1);
    return tf.neg(tf.sum(tf.mul(chosen, weights)));
  };
  it('of logits', async () => {
    const logits = variable([3, 5], 3);
    await expectGradients(() => crossEntropy(logits, targets), [logits]);
    await expectSame(() => crossEntropy(logits, targets), () => plain(logits), [logits]); // prettier-ignore
  });
  it('of a product with trainable and with frozen weights', async () => {
    await expectGradients(() => linearCrossEntropy(x, weight, targets), [x, weight]);
    await expectSame(
      () => linearCrossEntropy(x, weight, targets),
      () => plain(tf.matMul(x, weight, false, true)),
      [x, weight],
    );
    const frozen = numbers([5, 4]);
    await expectGradients(() => linearCrossEntropy(x, frozen, targets), [x]);
  });
  it('is exact for logits that are far apart', async () => {
    const logits = tf.tensor2d([[1000, 0, 0, 0, 0], [-1000, 0, 0, 0, 0], [0, 0, 0, 0, 0]]); // prettier-ignore
    const far = { labels: tf.tensor1d([0, 0, 0], 'int32'), weights: tf.tensor1d([1, 1, 0]) };
    expect((await crossEntropy(logits, far).data())[0]).toBeCloseTo(1000 + Math.log(4), 3);
  });
});

describe('shapes', () => {
  const x = variable([2, 3, 4]);
  const y = variable([2, 3, 4]);
  it('have the right gradients and hold nothing', async () => {
    const operations = {
      add: () => add(x, y),
      reshape: () => reshape(x, [6, 4]),
      splitHeads: () => splitHeads(x, 2),
      mergeHeads: () => mergeHeads(splitHeads(x, 2)),
      splitLast: () => splitLast(x, 2)[1]!,
      'splitLast by widths': () => splitLast(x, [1, 3])[1]!,
      joinLast: () => joinLast(splitLast(x, [3, 1]).reverse()),
      scale: () => scale(x, 3),
    };
    for (const operation of Object.values(operations)) {
      await expectGradients(operation, [x]);
      expect(savedBytes(operation, [x, y])).toBe(0);
    }
    await expectClose(mergeHeads(splitHeads(x, 2)), x);
    await expectClose(tf.concat(splitLast(x, 2), -1), x);
    await expectClose(joinLast(splitLast(x, [1, 3])), x);
    await expectClose(scale(x, 3), tf.mul(x, 3));
  });
  it('add refuses what tfjs would broadcast', () => {
    expect(() => add(x, tf.zeros([4]))).toThrow('add of @dropbp/core takes tensors of one shape');
  });
});
