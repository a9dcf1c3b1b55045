import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ortBackend } from '../src/index.ts';
import { OrtBackend } from '../src/backend/ortBackend.ts';
import { nodeCpu } from '../src/device/nodeCpu.ts';

await tf.ready();
const chosen = tf.getBackend();

beforeEach(() => tf.setBackend('ort'));
afterEach(() => tf.setBackend('ort'));

/** What must be as it was once all tensors are gone. */
function held(): object {
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  return {
    numTensors,
    numDataBuffers,
    numBytes,
    dataIds: ortBackend().numDataIds(),
    usedBytes: ortBackend().memory().usedBytes,
  };
}

describe('the backend', () => {
  it('is chosen over wasm and cpu by itself, and not over native ones', () => {
    expect(chosen).toBe('ort');
    const { priority } = tf.engine().registryFactory.ort!;
    expect(priority > 2 && priority < 3).toBe(true);
  });
  it('says so where another backend is active', async () => {
    await tf.setBackend('cpu');
    expect(() => ortBackend()).toThrow(
      "[@dropbp/tfjs-backend-ort] the active backend of tfjs is another one; got \"cpu\"; expected 'ort'; await tf.setBackend('ort').",
    );
  });
});

describe('memory', () => {
  it('is back to where it was after gradients in a tidy', () => {
    const step = (): void =>
      tf.tidy(() => {
        const w = tf.randomNormal([8, 8]);
        tf.grad(x => tf.sum(tf.softmax(tf.matMul(tf.relu(tf.add(x, 1)), w))))(tf.ones([4, 8]));
      });
    const before = held();
    step();
    expect(held()).toEqual(before);
  });
  it('does not grow over 1,000 steps', () => {
    const weights = tf.variable(tf.randomNormal<tf.Rank.R2>([8, 8], 0, 1, 'float32', 1));
    const optimizer = tf.train.momentum(0.01, 0.9);
    const step = (): unknown =>
      optimizer.minimize(() => tf.mean(tf.square(tf.matMul(weights, weights as tf.Tensor2D, false, true))));
    for (let i = 0; i < 5; i++) step();
    const before = { ...held(), memory: ortBackend().memory() };
    for (let i = 0; i < 1000; i++) step();
    expect({ ...held(), memory: ortBackend().memory() }).toEqual(before);
    optimizer.dispose();
    weights.dispose();
  });
  it('leaves an array that was read alone', async () => {
    const x = tf.ones([64]);
    const y = tf.mul(x, 3);
    const values = await y.data();
    y.dispose();
    tf.dispose([tf.mul(x, 5), tf.mul(x, 7)]);
    expect([...new Set(values)]).toEqual([3]);
  });
  it('is given back by trim', () => {
    tf.dispose(tf.tidy(() => tf.matMul(tf.ones([64, 64]), tf.ones([64, 64]))));
    ortBackend().trim();
    expect(ortBackend().memory()).toMatchObject({ idleBytes: 0, sessions: 0 });
    expect([...tf.add(tf.ones([2]), 1).dataSync()]).toEqual([2, 2]);
  });
});

describe('sessions', () => {
  it('are kept for one signature each, and the oldest goes first', async () => {
    tf.registerBackend('small', () => new OrtBackend(nodeCpu(1), 3));
    tf.copyRegisteredKernels('ort', 'small');
    await tf.setBackend('small');
    const sessions = (): number => (tf.backend() as unknown as OrtBackend).memory().sessions;
    const add = (size: number): void => tf.dispose(tf.tidy(() => tf.neg(tf.ones([size]))));
    add(1);
    add(1);
    expect(sessions()).toBe(1);
    for (let size = 2; size < 10; size++) add(size);
    expect(sessions()).toBe(3);
    tf.removeBackend('small');
  });
});

describe('what ONNX Runtime does not have', () => {
  it('runs on cpu and is counted', async () => {
    const before = ortBackend().fallbacks().get('Conv2D') ?? 0;
    const image = tf.ones<tf.Rank.R4>([1, 4, 4, 1]);
    const filter = tf.ones<tf.Rank.R4>([2, 2, 1, 1]);
    const y = tf.add(tf.conv2d(image, filter, 1, 'valid'), 1);
    expect([...new Set(await y.data())]).toEqual([5]);
    expect(ortBackend().fallbacks().get('Conv2D')).toBe(before + 1);
  });
  it('includes strings', async () => {
    const words = tf.tensor(['a', 'b', 'c', 'd'], [2, 2], 'string');
    expect(await tf.reshape(tf.concat([words, words]), [8]).array()).toEqual(['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd']);
  });
  it('includes complex numbers', async () => {
    const x = tf.complex([1, 2, 3, 4], [0, 1, 0, -1]);
    const back = tf.ifft(tf.fft(x));
    const [real, imaginary] = [await tf.real(back).data(), await tf.imag(back).data()];
    [1, 2, 3, 4].forEach((value, i) => expect(real[i]).toBeCloseTo(value, 5));
    [0, 1, 0, -1].forEach((value, i) => expect(imaginary[i]).toBeCloseTo(value, 5));
  });
  it('includes tensors without elements', async () => {
    const none = tf.zeros([0, 3]);
    expect(tf.matMul(none as tf.Tensor2D, tf.ones([3, 2])).shape).toEqual([0, 2]);
    expect(await tf.concat([none, tf.ones([1, 3])]).array()).toEqual([[1, 1, 1]]);
    expect(await tf.sum(none).array()).toBe(0);
  });
  it('is an error where tfjs has no kernel either', () => {
    const x = tf.tensor([1], [1], 'bool');
    expect(() => tf.engine().runKernel('DropbpAfter', { x: tf.zeros([0]), y: x })).toThrow(
      'neither ONNX Runtime nor tfjs\'s cpu backend has the kernel DropbpAfter for these inputs; got ["float32[0]","bool[1]"]',
    );
  });
});

it('takes tensors over from another backend and gives them back', async () => {
  await tf.setBackend('cpu');
  const x = tf.tensor([1, 2, 3]);
  await tf.setBackend('ort');
  const y = tf.mul(x, 2);
  expect([...(await y.data())]).toEqual([2, 4, 6]);
  await tf.setBackend('cpu');
  expect([...(await tf.add(x, y).data())]).toEqual([3, 6, 9]);
});
