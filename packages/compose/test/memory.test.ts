import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { describe, expect, it } from 'vitest';
import { causalLoss, labelledRows, runPass, type Adapter, type Batch, type Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { prefixTuning } from '@dropbp/peft-prefix';
import { savedBytes, toyModel } from '@dropbp/testing';
import { compose, type ComposeOptions, type LossFunction } from '../src/index.ts';
import { withToy } from './withToy.ts';

// What saves memory must change no number: gradients that are taken early, and checkpointed branches.

const patterns = ['000000', '101001', '011110', '111111'];
const flags = (code: string): boolean[] => Array.from(code, digit => digit === '1');

const methods: [string, () => Adapter][] = [
  ['LoRA with dropout', () => lora({ rank: 2, dropout: 0.3, targetModules: 'all-linear', initialization: false })],
  ['full fine-tuning', () => fullFineTune()],
  // An encoder gives the branches what they read: its own gradients come from several.
  ['prefix tuning', () => prefixTuning({ numVirtualTokens: 2, prefixProjection: true, encoderHiddenSize: 4 })],
];
/** How much the sums of a backend may differ where they are taken in another order. */
const DIGITS = 6;

describe.each(['cpu', 'ort'])('on %s', backend => {
  let model: Model;
  let batch: Batch;
  withToy(backend, toy => ({ model, batch } = toy));

  it('a pass that fails leaves nothing behind', async () => {
    let passes = 0;
    const failing: LossFunction = logits => {
      if (++passes > 1) throw new Error('out of memory, say');
      return tf.mean(logits);
    };
    const tuned = compose(model, lora({ rank: 2, targetModules: 'all-linear' }), dropBP({ rate: 0.5, rescale: true }), {
      loss: failing,
    });
    tf.dispose(Object.values(await tuned.valueAndGradients(batch, { step: 0 })).filter(part => part instanceof tf.Tensor)); // prettier-ignore
    const before = tf.memory().numTensors;
    for (const onGradient of [undefined, (_: string, gradient: tf.Tensor): void => gradient.dispose()]) {
      await expect(tuned.valueAndGradients(batch, { step: 1, ...(onGradient && { onGradient }) })).rejects.toThrow(
        'out of',
      );
      await expect(tuned.calibrate(batch)).rejects.toThrow('out of');
    }
    expect(tf.memory().numTensors).toBe(before);
    tuned.dispose();
  });

  /** Loss and gradients as numbers. */
  async function gradientsOf(
    create: () => Adapter,
    code: string,
    { early = false, on = model, ...options }: ComposeOptions & { early?: boolean; on?: Model } = {},
  ): Promise<Map<string, number[]>> {
    const tuned = compose(on, create(), undefined, options);
    const before = tf.memory().numTensors;
    const taken = new Map<string, tf.Tensor>();
    const onGradient = (name: string, gradient: tf.Tensor): void => {
      expect(taken.has(name)).toBe(false);
      taken.set(name, gradient);
      // Whoever takes a gradient may change its parameter: nothing that follows reads it.
      const parameter = tuned.parameters.get(name)!;
      parameter.assign(tf.tidy(() => tf.fill(parameter.shape, NaN)));
    };
    const pass = await tuned.valueAndGradients(batch, {
      step: 3,
      dropped: flags(code),
      ...(early && { onGradient }),
    });
    for (const name of pass.gradients.keys()) expect(taken.has(name)).toBe(false);
    const numbers = new Map([['loss', Array.from(await pass.value.data())]]);
    for (const name of tuned.parameters.keys()) {
      const gradient = taken.get(name) ?? pass.gradients.get(name);
      if (gradient) numbers.set(name, Array.from(await gradient.data()));
    }
    tf.dispose([pass.value, ...pass.gradients.values(), ...taken.values()]);
    expect(tf.memory().numTensors).toBe(before);
    tuned.dispose();
    return numbers;
  }

  function expectEqual(actual: Map<string, number[]>, expected: Map<string, number[]>): void {
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    for (const [name, values] of expected) {
      values.forEach((value, i) => expect(actual.get(name)![i], name).toBeCloseTo(value, DIGITS));
    }
  }

  it.each(methods)('gradients that are taken early are the same: %s', async (_, create) => {
    for (const code of patterns) {
      expectEqual(await gradientsOf(create, code, { early: true }), await gradientsOf(create, code));
    }
  });

  it('takes those of branches, from the last to the first, and leaves those that others read too', async () => {
    const tuned = compose(model, fullFineTune());
    const order: string[] = [];
    const pass = await tuned.valueAndGradients(batch, {
      dropped: flags('001000'),
      onGradient: (name, gradient) => {
        order.push(/^blocks\.\d\.(attn|mlp|norm\d?)/.exec(name)?.[0] ?? name);
        gradient.dispose();
      },
    });
    const blocks = order.map(name => Number(name.split('.')[1]));
    expect(blocks).toEqual(blocks.toSorted((a, b) => b - a));
    expect(new Set(blocks).size).toBe(3);
    for (const name of pass.gradients.keys()) expect(name).not.toMatch(/^blocks/);
    expect(pass.gradients.size).toBeGreaterThan(0);
    tf.dispose([pass.value, ...pass.gradients.values()]);
    tuned.dispose();
  });

  it.each(methods)('checkpointed branches give the same: %s', async (_, create) => {
    for (const code of patterns) {
      const plain = await gradientsOf(create, code);
      expectEqual(await gradientsOf(create, code, { checkpointing: true }), plain);
      expectEqual(await gradientsOf(create, code, { checkpointing: branch => branch.kind === 'mlp' }), plain);
      expectEqual(await gradientsOf(create, code, { checkpointing: true, early: true }), plain);
    }
  });

  it.each(methods)(
    'so do branches with norms behind them, which stay on the way of a gradient: %s',
    async (_, create) => {
      const on = toyModel({ isPostNorm: true });
      for (const code of patterns) {
        const plain = await gradientsOf(create, code, { on });
        expectEqual(await gradientsOf(create, code, { on, early: true }), plain);
        expectEqual(await gradientsOf(create, code, { on, checkpointing: true }), plain);
        expectEqual(await gradientsOf(create, code, { on, checkpointing: true, early: true }), plain);
      }
      on.dispose();
    },
  );

  it('a checkpointed branch keeps its input alone', async () => {
    // Long enough that an engine does not keep what is hardly worth an operation.
    const inputIds = tf.tidy(() =>
      tf.tensor2d(
        Int32Array.from({ length: 8 * 128 }, (_, i) => (i * 5) % 13),
        [8, 128],
        'int32',
      ),
    );
    const rows = await labelledRows({ inputIds, labels: inputIds }, model.vocabSize);
    const held = (options: ComposeOptions): number => {
      const tuned = compose(model, fullFineTune(), undefined, options);
      const inputs = [...tuned.parameters.values()];
      const bytes = savedBytes(() => causalLoss(tuned.internal, runPass(tuned.internal, { inputIds }), rows), inputs, [
        ...model.parameters.values(),
        ...inputs,
      ]);
      tuned.dispose();
      return bytes;
    };
    const [every, mlps, none] = [
      held({ checkpointing: true }),
      held({ checkpointing: ({ kind }) => kind === 'mlp' }),
      held({}),
    ];
    expect(every).toBeLessThan(mlps);
    expect(mlps).toBeLessThan(none);
    expect(every).toBeLessThan(none / 2);
    inputIds.dispose();
  });

  it('refuses a value of checkpointing that is none', () => {
    expect(() => compose(model, fullFineTune(), undefined, { checkpointing: 1 as never })).toThrow(
      'checkpointing is not usable; got 1',
    );
  });
});
