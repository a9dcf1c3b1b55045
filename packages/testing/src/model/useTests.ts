import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import {
  causalLoss,
  findTokenHead,
  labelledRows,
  makeRunnable,
  plainRunnable,
  runPass,
  type Model,
} from '@dropbp/core';
import type { Tests } from '../describeSuite.ts';
import { gradientCheck } from '../gradientCheck.ts';
import { greedyWithoutCache } from '../greedyWithoutCache.ts';
import { forwardOutputs, outputWidth, statesLoss } from '../outputs.ts';
import { CLOSE, largestDifference, TIME, tokens, type ModelSuite, type WithModel } from './modelUnderTest.ts';

/** What models are used for: generating and training, and what becomes of their tensors. */
export function useTests(suite: ModelSuite, withModel: WithModel): Tests {
  return {
    'generates with its cache what it would without, or says that it does not': withModel(async model => {
      const prompt = tokens(model)[0]!.slice(0, 3);
      const generated: number[] = [];
      if (findTokenHead(model) === undefined) {
        expect(() => suite.generate(model, prompt, { maxNewTokens: 1, stopTokens: [] })).toThrow('writes no text');
        return;
      }
      for await (const token of suite.generate(model, prompt, { maxNewTokens: 16, stopTokens: [] })) {
        generated.push(token);
      }
      expect(generated).toEqual(await greedyWithoutCache(plainRunnable(model), prompt, 16));
    }),

    'has the loss of its logits, or says that it has none': withModel(async model => {
      const runnable = plainRunnable(model);
      const inputIds = tf.tensor2d(tokens(model), [2, TIME], 'int32');
      const rows = await labelledRows({ inputIds, labels: inputIds }, model.vocabSize);
      if (findTokenHead(model) === undefined) {
        const lossOf = (): tf.Tensor => tf.tidy(() => causalLoss(runnable, runPass(runnable, { inputIds }), rows));
        expect(lossOf).toThrow('writes no text');
        expect(() => model.forward(inputIds)).toThrow('writes no text');
        inputIds.dispose();
        return;
      }
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
      const variables = new Map(
        [...model.parameters].filter(isTrained(model)).map(([path, tensor]) => [path, tf.variable(tensor)]),
      );
      const runnable = makeRunnable(model, new Map([...model.parameters, ...variables]), {}, new Set());
      const inputIds = tf.tensor2d(tokens(model), [2, TIME], 'int32');
      const rows = await labelledRows({ inputIds, labels: inputIds }, model.vocabSize);
      const hasLogits = findTokenHead(model) !== undefined;
      const loss = (): tf.Tensor => {
        const hidden = runPass(runnable, { inputIds });
        return hasLogits ? causalLoss(runnable, hidden, rows) : statesLoss(runnable, hidden, tokens(model));
      };
      const { worst, where } = await gradientCheck(loss, [...variables.values()], 2e-3, 2);
      expect(worst, `${where}: ${[...variables.keys()][Number(/\d+/.exec(where)?.[0])] ?? ''}`).toBeLessThan(0.02);
      tf.dispose([inputIds, ...variables.values()]);
    }),

    'gives out its logits or states and keeps nothing else': withModel(model => {
      const before = tf.memory().numTensors;
      const outputs = forwardOutputs(model, tokens(model));
      expect(outputs.shape).toEqual([2, TIME, outputWidth(model)]);
      expect(tf.memory().numTensors - before).toBe(1);
      outputs.dispose();
    }),

    'takes other weights, as a model of its own': withModel(async model => {
      const before = forwardOutputs(model, tokens(model));
      const name = [...model.parameters].filter(isTrained(model)).at(-1)![0];
      const other = tf.tidy(() => tf.keep(tf.mul(model.parameters.get(name)!, 1.5)));
      const changed = model.withParameters(new Map([[name, other]]));
      const own = changed.parameters.get([...model.parameters.keys()][0]!)!;
      const after = forwardOutputs(changed, tokens(model));
      expect(await largestDifference(before, after)).toBeGreaterThan(1e-4);
      changed.dispose();
      changed.dispose();
      expect([other.isDisposed, own.isDisposed]).toEqual([true, true]);
      const again = forwardOutputs(model, tokens(model));
      expect(await largestDifference(before, again)).toBe(0);
      tf.dispose([before, after, again]);

      const misshapen = tf.zeros([1]);
      expect(() => model.withParameters(new Map([[name, misshapen]]))).toThrow(`this tensor cannot replace '${name}'`);
      expect(() => model.withParameters(new Map([[`${name}x`, misshapen]]))).toThrow(`has no weight '${name}x'`);
      misshapen.dispose();
    }),
  };
}

/** Whether a loss depends on a parameter. Of a model without logits, none depends on a pooling layer. */
function isTrained(model: Model): (entry: readonly [name: string, tensor: tf.Tensor]) => boolean {
  const hasLogits = findTokenHead(model) !== undefined;
  const isPooling = (name: string): boolean =>
    model.isHeadParameter(name) && model.modules.get(name.slice(0, name.lastIndexOf('.')))?.kind !== 'norm';
  return ([name]) => hasLogits || !isPooling(name);
}
