import * as tf from '@tensorflow/tfjs';
import { causalLoss, labelledRows, makeRunnable, runPass } from '@dropbp/core';
import { kernelCases, toyModel } from '@dropbp/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OrtBackend } from '../src/backend/ortBackend.ts';
import { nodeWebgpu } from '../src/device/node/nodeWebgpu.ts';
import { type OrtBinding, ortBinding } from '../src/device/node/ortBinding.ts';
import '../src/index.ts';

/** Models of which a node runs on the CPU. */
const onCpu = new Set<string>();

/** Loads a model without the CPU, and only where that fails with it. */
const watched: OrtBinding = {
  ...ortBinding(),
  loadReturning(model, options) {
    const { extra } = options as { extra: { session: object } };
    const session = { ...extra.session, disable_cpu_ep_fallback: '1' };
    try {
      return ortBinding().loadReturning(model, { ...options, extra: { ...extra, session }, logSeverityLevel: 4 });
    } catch {
      onCpu.add(model.name);
      return ortBinding().loadReturning(model, options);
    }
  },
};

describe('on the GPU', () => {
  beforeAll(async () => {
    tf.registerBackend('watched', () => new OrtBackend(nodeWebgpu(1, watched), 1024));
    tf.copyRegisteredKernels('ort', 'watched');
    await tf.setBackend('watched');
  });
  afterAll(() => tf.removeBackend('watched'));
  beforeEach(() => onCpu.clear());

  it('runs all of a training step of a transformer', async () => {
    const model = toyModel();
    // Longer than a chunk of queries, so that attention waits for its parts.
    const row = Array.from({ length: 300 }, (_, i) => (i * 7 + i * i) % model.vocabSize);
    const inputIds = tf.tensor2d([row], undefined, 'int32');
    const labels = await labelledRows({ inputIds, labels: inputIds }, model.vocabSize);
    const trained = new Map([...model.parameters].map(([name, tensor]) => [name, tf.variable(tensor)]));
    const runnable = makeRunnable(model, trained, {}, new Set());
    const { value, grads } = tf
      .engine()
      .gradients(() => causalLoss(runnable, runPass(runnable, { inputIds }), labels), [...trained.values()]);
    for (const tensor of [value, ...grads]) expect(Array.from(await tensor.data()).every(Number.isFinite)).toBe(true);
    expect([...onCpu]).toEqual([]);
  });

  it('runs all kernels but those that WebGPU does not have', async () => {
    for (const { inputs, run } of Object.values(kernelCases).flat()) {
      const results = tf.tidy(() => run(...inputs.map(({ values, shape, dtype }) => tf.tensor(values, shape, dtype))));
      await Promise.all([results].flat().map(result => result.data()));
      tf.dispose(results);
    }
    const kernels = [...onCpu].filter(name => name.startsWith('eager ')).map(name => name.slice('eager '.length));
    expect(kernels.sort()).toEqual([
      ...['Abs', 'Acos', 'ArgMax', 'ArgMin', 'Asin', 'BitwiseAnd', 'Concat', 'Cos', 'FloorDiv', 'IsFinite', 'IsInf'],
      ...[
        'IsNan',
        'LogSoftmax',
        'LogicalOr',
        'LogicalXor',
        'Mod',
        'Neg',
        'Relu',
        'Round',
        'Selu',
        'Sign',
        'Sin',
        'Tan',
        'TopK',
      ],
    ]);
  });
});
