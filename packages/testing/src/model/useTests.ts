import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { causalLoss, labelledRows, makeRunnable, plainRunnable, runPass } from '@dropbp/core';
import type { Tests } from '../describeSuite.ts';
import { gradientCheck } from '../gradientCheck.ts';
import { greedyWithoutCache } from '../greedyWithoutCache.ts';
import { CLOSE, largestDifference, TIME, tokens, type ModelSuite, type WithModel } from './modelUnderTest.ts';

/** What models are used for: generating and training, and what becomes of their tensors. */
export function useTests(suite: ModelSuite, withModel: WithModel): Tests {
  return {
    'generates with its cache what it would without': withModel(async model => {
      const prompt = tokens(model)[0]!.slice(0, 3);
      const generated: number[] = [];
      for await (const token of suite.generate(model, prompt, { maxNewTokens: 16, stopTokens: [] })) {
        generated.push(token);
      }
      expect(generated).toEqual(await greedyWithoutCache(plainRunnable(model), prompt, 16));
    }),

    'has the loss of its logits': withModel(async model => {
      const runnable = plainRunnable(model);
      const inputIds = tf.tensor2d(tokens(model), [2, TIME], 'int32');
      const rows = await labelledRows({ inputIds, labels: inputIds }, model.vocabSize);
      const difference = tf.tidy(() => {
        const labels = tf.oneHot(tf.slice<tf.Rank, tf.Tensor2D>(inputIds, [0, 1]), model.vocabSize);
        const logits = tf.slice(model.forward(inputIds), [0, 0, 0], [-1, TIME - 1, -1]);
        const expected = tf.losses.softmaxCrossEntropy(labels, logits);
        return tf.sub(causalLoss(runnable, runPass(runnable, { inputIds }), rows), expected);
      });
      const [far] = await difference.data();
      expect(Math.abs(far!), 'head.project is more than a linear layer').toBeLessThan(CLOSE * 10);
      tf.dispose([inputIds, difference]);
    }),

    'has the gradients of its loss': withModel(async model => {
      const variables = new Map([...model.parameters].map(([path, tensor]) => [path, tf.variable(tensor)]));
      const runnable = makeRunnable(model, variables, {}, new Set());
      const inputIds = tf.tensor2d(tokens(model), [2, TIME], 'int32');
      const rows = await labelledRows({ inputIds, labels: inputIds }, model.vocabSize);
      const loss = (): tf.Tensor => causalLoss(runnable, runPass(runnable, { inputIds }), rows);
      const { worst, where } = await gradientCheck(loss, [...variables.values()], 2e-3, 2);
      expect(worst, `${where}: ${[...variables.keys()][Number(/\d+/.exec(where)?.[0])] ?? ''}`).toBeLessThan(0.02);
      tf.dispose([inputIds, ...variables.values()]);
    }),

    'gives out its logits and keeps nothing else': withModel(model => {
      const before = tf.memory().numTensors;
      const logits = model.forward(tokens(model));
      expect(logits.shape).toEqual([2, TIME, model.vocabSize]);
      expect(tf.memory().numTensors - before).toBe(1);
      logits.dispose();
    }),

    'takes other weights, as a model of its own': withModel(async model => {
      const before = model.forward(tokens(model));
      const name = [...model.parameters.keys()].at(-1)!;
      const other = tf.tidy(() => tf.keep(tf.mul(model.parameters.get(name)!, 1.5)));
      const changed = model.withParameters(new Map([[name, other]]));
      const own = changed.parameters.get([...model.parameters.keys()][0]!)!;
      const after = changed.forward(tokens(model));
      expect(await largestDifference(before, after)).toBeGreaterThan(1e-4);
      changed.dispose();
      changed.dispose();
      expect([other.isDisposed, own.isDisposed]).toEqual([true, true]);
      const again = model.forward(tokens(model));
      expect(await largestDifference(before, again)).toBe(0);
      tf.dispose([before, after, again]);

      const misshapen = tf.zeros([1]);
      expect(() => model.withParameters(new Map([[name, misshapen]]))).toThrow(`this tensor cannot replace '${name}'`);
      expect(() => model.withParameters(new Map([[`${name}x`, misshapen]]))).toThrow(`has no weight '${name}x'`);
      misshapen.dispose();
    }),
  };
}
