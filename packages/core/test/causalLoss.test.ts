import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { causalLoss, labelledRows, linear, rmsNorm, type Batch, type Model, type Runnable } from '../src/index.ts';

const [batch, time, width, vocab] = [2, 200, 4, 7];
const random = seededRandom(5);
const numbers = (shape: number[]): tf.Tensor =>
  tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal()), shape); // prettier-ignore

const norm = tf.variable(numbers([width]));
const weight = tf.variable(numbers([vocab, width]));
const hidden = tf.variable(numbers([batch, time, width]));

/** A model of which the loss sees the head alone. */
function headOnly(adapted: boolean): Runnable {
  const model = {
    vocabSize: vocab,
    isHeadParameter: (name: string) => name !== 'elsewhere.weight',
    head: {
      path: 'lm_head',
      weight: 'lm_head.weight',
      normalize: (x, p) => rmsNorm(x, p['norm.weight']!, 1e-5),
      project: (x, p) => linear(x, p['lm_head.weight']!),
    },
  } as Pick<Model, 'vocabSize' | 'head' | 'isHeadParameter'> as Model;
  return {
    model,
    hooks: {},
    adaptedModules: new Set(adapted ? ['lm_head'] : []),
    branchScopes: [],
    outerScope: { 'norm.weight': norm, 'lm_head.weight': weight, 'elsewhere.weight': norm },
  };
}

/** Labels that count at some positions only; the first and the last of a row among them. */
function someLabels(keep: (row: number, t: number) => boolean): Batch {
  const labels = Array.from({ length: batch }, (_, row) =>
    Array.from({ length: time }, (_, t) => (keep(row, t) ? (row * 3 + t) % vocab : -100)),
  );
  return { inputIds: tf.zeros([batch, time], 'int32'), labels: tf.tensor2d(labels, [batch, time], 'int32') };
}

/** The mean over the labels that count, by tfjs's own operations. */
async function plainLoss(labels: tf.Tensor): Promise<() => tf.Tensor> {
  const data = await labels.data();
  return () => {
    const logits = tf.matMul(tf.reshape(rmsNorm(hidden, norm, 1e-5), [-1, width]), weight, false, true);
    const all = tf.logSoftmax(logits);
    const terms: tf.Tensor[] = [];
    for (let row = 0; row < batch; row++) {
      for (let t = 0; t + 1 < time; t++) {
        const label = data[row * time + t + 1]!;
        if (label !== -100) terms.push(tf.slice(all, [row * time + t, label], [1, 1]));
      }
    }
    return tf.neg(tf.mean(tf.concat(terms)));
  };
}

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('causalLoss', () => {
  const patterns = {
    'all labels, more than one chunk': () => true,
    'a few labels': (row: number, t: number) => (row === 0 ? t > 190 : t % 17 === 0),
    'one label': (row: number, t: number) => row === 1 && t === time - 1,
  };
  for (const [name, keep] of Object.entries(patterns)) {
    for (const adapted of [false, true]) {
      it(`equals the plain mean and its gradients: ${name}${adapted ? ', head adapted' : ''}`, async () => {
        const data = someLabels(keep);
        const rows = await labelledRows(data, vocab);
        const plain = await plainLoss(data.labels);
        const inputs = [hidden, norm, weight];
        const before = tf.memory().numTensors;
        const ours = tf.engine().gradients(() => causalLoss(headOnly(adapted), hidden, rows), inputs);
        expect(tf.memory().numTensors - before).toBe(1 + inputs.length);
        const expected = tf.engine().gradients(plain, inputs);
        expect((await ours.value.data())[0]).toBeCloseTo((await expected.value.data())[0]!, 5);
        for (const i of inputs.keys()) {
          const worst = await tf.max(tf.abs(tf.sub(ours.grads[i]!, expected.grads[i]!))).data();
          expect(worst[0]).toBeLessThan(1e-5);
        }
      });
    }
  }
  it('holds memory that grows with the sequence, not with its square', async () => {
    const held = async (time: number): Promise<number> => {
      const states = numbers([1, time, width]);
      const ids = tf.zeros([1, time], 'int32');
      const rows = await labelledRows({ inputIds: ids, labels: ids }, vocab);
      const before = tf.memory().numBytes;
      let bytes = NaN;
      const source = tf.customGrad(x => ({
        value: tf.clone(x as tf.Tensor),
        gradFunc: (dy: tf.Tensor) => {
          bytes = tf.memory().numBytes - before;
          return tf.clone(dy);
        },
      }));
      const { value, grads } = tf.engine().gradients(() => causalLoss(headOnly(false), source(states), rows), [states]);
      tf.dispose([value, ...grads]);
      return bytes;
    };
    expect((await held(4096)) / (await held(1024))).toBeLessThan(5);
  });
  it('skips virtual tokens in front', async () => {
    const data = someLabels((row, t) => (row + t) % 3 === 0);
    const rows = await labelledRows(data, vocab);
    const longer = tf.concat([numbers([batch, 5, width]), hidden], 1);
    const [a] = await causalLoss(headOnly(false), longer, rows).data();
    const [b] = await causalLoss(headOnly(false), hidden, rows).data();
    expect(a).toBeCloseTo(b!, 5);
  });
  it('lets the last virtual token predict the first token of its row', async () => {
    const front = numbers([batch, 3, width]);
    const data = someLabels((row, t) => (row === 1 ? t === 0 || t === time - 1 : t === 0));
    const rows = await labelledRows(data, vocab, 3);
    expect(Array.from(rows.positions)).toEqual([-1, -2, 2 * time - 2]);
    // The same labels where the virtual tokens are tokens: each counts for what is in front of it.
    const asTokens = someLabels(() => false);
    const labels = (await asTokens.labels.array()) as number[][];
    const own = (await data.labels.array()) as number[][];
    const longer = labels.map((row, i) => [...row.slice(0, 3), ...own[i]!]);
    const all = { inputIds: tf.zeros([batch, time + 3], 'int32'), labels: tf.tensor2d(longer, undefined, 'int32') };
    const states = tf.concat([front, hidden], 1);
    const [a] = await causalLoss(headOnly(false), states, rows).data();
    const [b] = await causalLoss(headOnly(false), states, await labelledRows(all, vocab)).data();
    expect(a).toBeCloseTo(b!, 6);
  });
  it('refuses batches without labels, labels that are no tokens, and shapes that differ', async () => {
    await expect(labelledRows(someLabels(() => false), vocab)).rejects.toThrow('no label of the batch counts'); // prettier-ignore
    await expect(
      labelledRows(
        someLabels(() => true),
        3,
      ),
    ).rejects.toThrow(/the label at \[0, \d\] is not a token/);
    const wrong = { inputIds: tf.zeros([1, 4], 'int32'), labels: tf.zeros([1, 5], 'int32') };
    await expect(labelledRows(wrong, vocab)).rejects.toThrow('the batch is misshapen');
  });
});

describe('a tensor of the step that the head reads', () => {
  /** A head whose hook multiplies its input by a mask, as dropout does. */
  function masked(mask: tf.Tensor): Runnable {
    const plain = headOnly(true);
    const head: Model['head'] = {
      ...plain.model.head,
      project: (x, p) => linear(tf.mul(x, p['lm_head.mask']!), p['lm_head.weight']!),
    };
    return { ...plain, model: { ...plain.model, head }, outerScope: { ...plain.outerScope, 'lm_head.mask': mask } };
  }
  const mean = async (runnable: Runnable, states: tf.Tensor, data: Batch): Promise<number> => {
    const rows = await labelledRows(data, vocab);
    return (await tf.tidy(() => causalLoss(runnable, states, rows)).data())[0]!;
  };

  it('goes to the rows of its own tokens, chunk by chunk', async () => {
    // Where the mask is 0 all logits are 0, so that the loss of the token is log vocab.
    const isOff = (row: number, t: number): boolean => (row * time + t) % 3 === 0;
    const mask = tf.tensor3d(
      Array.from({ length: batch }, (_, row) =>
        Array.from({ length: time }, (_, t) => Array.from({ length: width }, () => !isOff(row, t))),
      ),
      undefined,
      'bool',
    );
    const data = someLabels(() => true);
    const kept = someLabels((row, t) => t > 0 && !isOff(row, t - 1));
    const count = (await labelledRows(data, vocab)).labels.length;
    const keptCount = (await labelledRows(kept, vocab)).labels.length;
    const expected =
      ((await mean(headOnly(true), hidden, kept)) * keptCount + (count - keptCount) * Math.log(vocab)) / count;
    expect(Math.abs((await mean(masked(mask), hidden, data)) - expected)).toBeLessThan(1e-5);
    // Virtual tokens in front have no rows of it.
    const longer = tf.concat([numbers([batch, 3, width]), hidden], 1);
    expect(Math.abs((await mean(masked(mask), longer, data)) - expected)).toBeLessThan(1e-5);
  });
});
