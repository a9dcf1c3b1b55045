import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ortBackend } from '../src/index.ts';
import { OrtBackend } from '../src/backend/ortBackend.ts';
import { nodeCpu } from '../src/device/node/nodeCpu.ts';

await tf.ready();
const chosen = tf.getBackend();

beforeEach(() => tf.setBackend('ort'));
afterEach(() => tf.setBackend('ort'));

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
  it('is an error where tfjs has no kernel either', () => {
    const x = tf.tensor([1], [1], 'bool');
    expect(() => tf.engine().runKernel('DropbpAfter', { x: tf.zeros([0]), y: x })).toThrow(
      'neither ONNX Runtime nor tfjs\'s cpu backend has the kernel DropbpAfter for these inputs; got ["float32[0]","bool[1]"]',
    );
  });
});
