import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Adapter, Batch, Model } from '@dropbp/core';
import { createModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora, type LoraOptions } from '@dropbp/peft-lora';
import { promptTuning } from '@dropbp/peft-prefix';
import { countKernels, toyModel } from '@dropbp/testing';
import { compose, type ComposeOptions, type LossFunction, type Tuned } from '../src/index.ts';
import { lossFunctionObjective } from '../src/pass/lossFunction.ts';
import { readyBatch } from '../src/pass/readyBatch.ts';
import { measureSensitivities } from '../src/sensitivity/measureSensitivities.ts';
import { oracleSensitivities } from './oracleSensitivities.ts';
import { parallelModel } from './parallelModel.ts';

const everywhere: LoraOptions = { rank: 2, alpha: 4, targetModules: 'all-linear', initialization: false };

const adapters: Readonly<Record<string, () => Adapter>> = {
  'LoRA everywhere': () => lora(everywhere),
  'LoRA as it starts, B = 0': () => lora({ rank: 2, targetModules: 'all-linear' }),
  'LoRA in attention alone': () => lora({ ...everywhere, targetModules: ['q', 'v'] }),
  'LoRA in the middle block': () => lora({ ...everywhere, targetModules: ['blocks.1.attn.q'] }),
  'all weights': () => fullFineTune(),
  'all weights but the embedding': () => fullFineTune({ exclude: ['embed'] }),
  'what an encoder gives to several branches': encodedShifts,
  'norms alone': () => fullFineTune({ parts: ['norms'] }),
};

/** Adds a row of its own to the result of some layers: the rows come out of a small network, as those of a prefix do. */
function encodedShifts(): Adapter {
  return {
    name: 'encodedShifts',
    attach({ modules }) {
      const names = [...modules.keys()].filter(name => /\.(q|o|up)$/.test(name));
      const width = Math.max(...names.map(name => modules.get(name)!.outFeatures));
      const table = tf.variable(tf.randomNormal([names.length, 3], 0, 1, 'float32', 5));
      const mix = tf.variable(tf.randomNormal([3, width], 0, 1, 'float32', 6));
      return {
        parameters: new Map([
          ['encoder.table', table],
          ['encoder.mix', mix],
        ]),
        constants: new Map(),
        adaptedModules: new Set(names),
        hooks: {
          linear(name, x, base, p) {
            const [y, shift] = [base(x), p[`${name}.shift`]];
            return shift === undefined ? y : tf.add(y, tf.slice(shift, [0], [y.shape.at(-1)!]));
          },
        },
        encoder: {
          reads: ['encoder.table', 'encoder.mix'],
          gives: names.map(name => `${name}.shift`),
          encode: p => tf.tanh(tf.matMul(p['encoder.table']!, p['encoder.mix']!)),
          split: rows => tf.unstack(rows),
        },
        dispose: () => tf.dispose([table, mix]),
      };
    },
  };
}

const models: Readonly<Record<string, () => Model>> = {
  'sequential blocks': toyModel,
  'a tied head': () => toyModel({ isTied: true }),
  'norms behind the branches': () => toyModel({ isPostNorm: true }),
  'parallel blocks with a norm in common': parallelModel,
};

async function withTuned(
  create: () => Model,
  adapter: () => Adapter,
  run: (tuned: Tuned, batch: Batch) => Promise<void>,
  options?: ComposeOptions,
) {
  const model = create();
  const tokens = [
    [1, 4, 2, 9, 3, 0, 7],
    [5, 5, 1, 10, 8, 2, 6],
  ];
  const inputIds = tf.tensor2d(tokens, undefined, 'int32');
  const tuned = compose(model, adapter(), undefined, options);
  const before = tf.memory().numTensors;
  await run(tuned, { inputIds, labels: inputIds });
  expect(tf.memory().numTensors).toBe(before);
  tuned.dispose();
  model.dispose();
  inputIds.dispose();
}

async function measured(tuned: Tuned, batch: Batch): Promise<number[]> {
  return measureSensitivities(tuned.internal, tuned.parameters, await readyBatch(tuned.internal, batch));
}

/** From 2L + 1 passes over the first row. */
async function ofFirst(tuned: Tuned, batch: Batch, loss: LossFunction): Promise<number[]> {
  const inputIds = tf.slice(batch.inputIds, [0, 0], [1, -1]);
  const ready = await readyBatch(
    tuned.internal,
    { inputIds, labels: inputIds },
    { objective: lossFunctionObjective(loss) },
  );
  return oracleSensitivities(tuned.internal, tuned.parameters, ready).finally(() => inputIds.dispose());
}

function expectEqual(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((sensitivity, branch) => {
    const error = Math.abs(actual[branch]! - sensitivity);
    expect(error, `branch ${branch}`).toBeLessThanOrEqual(1e-4 * sensitivity);
  });
}

beforeEach(async () => {
  await tf.setBackend('cpu');
});
afterAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(Object.entries(models))('%s', (_, create) => {
  it.each(Object.entries(adapters))('on ONNX Runtime as on the cpu backend: %s', async (_, adapter) => {
    let expected: number[] = [];
    await withTuned(create, adapter, async (tuned, batch) => {
      expected = await measured(tuned, batch);
    });
    await tf.setBackend('ort');
    await withTuned(create, adapter, async (tuned, batch) => expectEqual(await measured(tuned, batch), expected));
  });

  it.each(Object.entries(adapters))('%s: as from 2L + 1 passes', (_, adapter) =>
    withTuned(create, adapter, async (tuned, batch) => {
      const expected = await oracleSensitivities(
        tuned.internal,
        tuned.parameters,
        await readyBatch(tuned.internal, batch),
      );
      expect(expected.some(sensitivity => sensitivity > 0)).toBe(true);
      expectEqual(await measured(tuned, batch), expected);
    }),
  );
});

describe('options of compose', () => {
  it.each(['cpu', 'ort'])('checkpointed branches have the same sensitivities: %s', async backend => {
    let expected: number[] = [];
    await withTuned(toyModel, adapters['all weights']!, async (tuned, batch) => {
      expected = await measured(tuned, batch);
    });
    await tf.setBackend(backend);
    await withTuned(
      toyModel,
      adapters['all weights']!,
      async (tuned, batch) => {
        expectEqual(await measured(tuned, batch), expected);
      },
      { checkpointing: true },
    );
  });

  it('a loss of the user is what is measured', () => {
    const loss = (logits: tf.Tensor): tf.Tensor => tf.mean(tf.square(logits));
    return withTuned(
      toyModel,
      adapters['LoRA everywhere']!,
      async (tuned, batch) => {
        const own = await measureSensitivities(
          tuned.internal,
          tuned.parameters,
          await readyBatch(tuned.internal, batch, { objective: lossFunctionObjective(loss) }),
        );
        expectEqual(await tuned.calibrate(batch, { samples: 1 }), await ofFirst(tuned, batch, loss));
        expect(own).not.toEqual(await measured(tuned, batch));
      },
      { loss },
    );
  });
});

it('are those of rows of several texts', async () => {
  const sizes = { vocab_size: 12, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 16, initializer_range: 0.4 };
  const create = (): Model => createModel({ model_type: 'gpt2', ...sizes }, { seed: 1 });
  await withTuned(create, adapters['all weights']!, async (tuned, batch) => {
    const rows = [
      [0, 1, 2, 0, 1, 2, 3],
      [0, 0, 1, 2, 3, 4, 5],
    ];
    const positions = tf.tensor2d(rows, undefined, 'int32');
    const packed = { ...batch, positions };
    const expected = await oracleSensitivities(
      tuned.internal,
      tuned.parameters,
      await readyBatch(tuned.internal, packed),
    );
    expectEqual(await measured(tuned, packed), expected);
    expect(await measured(tuned, batch)).not.toEqual(expected);
    positions.dispose();
  });
});

it('are measured where the first label alone counts, which a prompt predicts', async () => {
  await tf.setBackend('cpu');
  const [model, inputIds] = [toyModel(), tf.tensor2d([[3, 1, 2]], undefined, 'int32')];
  const batch = { inputIds, labels: tf.tensor2d([[3, -100, -100]], undefined, 'int32') };
  const [prompt, plain] = [compose(model, promptTuning({ numVirtualTokens: 2 })), compose(model, lora(everywhere))];
  expect((await prompt.calibrate(batch)).every(value => value > 0)).toBe(true);
  await expect(plain.calibrate(batch)).rejects.toThrow('no label of the batch counts');
  for (const each of [prompt, plain, model]) each.dispose();
  tf.dispose(Object.values(batch));
});

it('let a signal have its turn while they are measured', () =>
  withTuned(toyModel, adapters['LoRA everywhere']!, async (tuned, batch) => {
    let hasHadTurn = false;
    setImmediate(() => (hasHadTurn = true));
    await tuned.calibrate(batch);
    expect(hasHadTurn).toBe(true);
  }));

it('are averaged over several samples, as many as there are', () =>
  withTuned(toyModel, adapters['LoRA everywhere']!, async (tuned, batch) => {
    const rows = [0, 1].map(row => {
      const inputIds = tf.slice(batch.inputIds, [row, 0], [1, -1]);
      return { inputIds, labels: inputIds };
    });
    const [first, second] = [await measured(tuned, rows[0]!), await measured(tuned, rows[1]!)];
    expectEqual(await tuned.calibrate(batch), first);
    const mean = first.map((value, i) => (value + second[i]!) / 2);
    expectEqual(await tuned.calibrate(batch, { samples: 2 }), mean);
    expectEqual(await tuned.calibrate(batch, { samples: 9 }), mean);
    await expect(tuned.calibrate(batch, { samples: 0 })).rejects.toThrow('samples is not usable; got 0');
    tf.dispose(rows.map(({ inputIds }) => inputIds));
  }));

describe('what it costs', () => {
  /** Each branch runs Sinh forward, and Cosh backward. */
  const counted = (): Model => {
    const model = toyModel();
    const branches = model.branches.map(branch => ({
      ...branch,
      apply: (...args: Parameters<typeof branch.apply>) => tf.sinh(branch.apply(...args)),
    }));
    return { ...model, branches };
  };
  const all = { forward: 2 * 6, backward: (6 * 7) / 2 };
  it.each([
    ['LoRA everywhere', adapters['LoRA everywhere']!, all],
    // Branches before block 1 lead to nothing trainable, and the last two wait above it.
    ['LoRA in the middle block', adapters['LoRA in the middle block']!, { forward: 6 + 4, backward: (4 * 5) / 2 }],
  ])('two forward passes and L(L + 1)/2 backward passes of a branch: %s', (_, adapter, { forward, backward }) =>
    withTuned(counted, adapter, async (tuned, batch) => {
      const kernels = await countKernels(() => measured(tuned, batch));
      expect(kernels.get('Sinh')).toBe(forward);
      expect(kernels.get('Cosh')).toBe(backward);
    }),
  );

  it.each(['LoRA everywhere', 'all weights'])('less memory than a training step without drops: %s', name =>
    withTuned(toyModel, adapters[name]!, async (tuned, batch) => {
      const peak = async (run: () => Promise<unknown>): Promise<number> => {
        const before = tf.memory().numBytes;
        return (await tf.profile(run as () => Promise<tf.TensorContainer>)).peakBytes - before;
      };
      const dropped = tuned.model.branches.map(() => false);
      const ofStep = await peak(async () => {
        const { value, gradients } = await tuned.valueAndGradients(batch, { dropped });
        tf.dispose([value, ...gradients.values()]);
      });
      expect(await peak(() => measured(tuned, batch))).toBeLessThan(ofStep);
    }),
  );
});
