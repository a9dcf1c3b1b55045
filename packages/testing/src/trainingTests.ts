import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { findTokenHead, prepareAdapter, withTensors, type Adapter, type Model } from '@dropbp/core';
import { bind, gradients, isTensor, lossOf, stepOf, tokens } from './boundAdapter.ts';
import type { Test, Tests } from './describeSuite.ts';
import { forwardOutputs, madeUpLogits } from './outputs.ts';

const STEPS = 300;
/** The loss that counts as learned. A guess has at least 2.5. */
const LEARNED = 0.1;

/**
 * The weights of the output layer of a tiny model are so small that no logit gets far from the others, and states behind a norm stay
 * near each other: this many times more.
 */
const HEAD_FACTOR = 6;

/** Whether an adapter learns. */
export function trainingTests(
  { create, learningRate = 0.05 }: { readonly create: () => Adapter; readonly learningRate?: number },
  withModel: (run: (model: Model) => unknown) => Test,
): Tests {
  return {
    'learns a toy task, with half of the branches dropped in each step': withModel(async original => {
      const head = findTokenHead(original);
      const larger = head && tf.mul(original.parameters.get(head.weight)!, HEAD_FACTOR);
      const model = original.withParameters(new Map(head && larger ? [[head.weight, larger]] : []));
      const bound = bind(model, (await prepareAdapter(create(), model)).attach(model));
      const parameters = [...bound.attachment.parameters.values()];
      const pass = await lossOf(bound, await secondBest(model), HEAD_FACTOR);
      const random = seededRandom(41);
      const update = adam(parameters, learningRate);
      let loss = Infinity;
      for (let step = 1; step <= STEPS && loss > LEARNED; step++) {
        const dropped = model.branches.map(() => random() < 0.5);
        const tensors = stepOf(bound.attachment, step);
        const runnable = withTensors(bound.runnable, tensors);
        const { value, grads } = gradients(() => pass.loss(runnable, dropped), parameters);
        loss = (await value.data())[0]!;
        update(grads);
        tf.dispose([value, ...grads.filter(isTensor), ...tensors.values()]);
      }
      update.dispose();
      pass.dispose();
      bound.attachment.dispose();
      model.dispose();
      expect(loss, `the loss after ${STEPS} steps`).toBeLessThan(LEARNED);
    }),
  };
}

/** Labels for one token alone, of the first row: what the model finds second best there, where that is nearest to the best. */
async function secondBest(model: Model): Promise<number[][]> {
  const rows = tokens(model);
  const isCausal = findTokenHead(model) !== undefined;
  const outputs = forwardOutputs(model, rows);
  const logits = isCausal ? outputs.clone() : madeUpLogits(model, outputs);
  const values = Array.from(await logits.data());
  tf.dispose([outputs, logits]);
  const ahead = isCausal ? 1 : 0; // a label is that of the next token, or of its own
  const choices = rows[0]!.slice(ahead).map((_, position) => {
    const own = values.slice(position * model.vocabSize, (position + 1) * model.vocabSize);
    const [best, second] = [...own.keys()].sort((a, b) => own[b]! - own[a]!) as [number, number];
    return { position: position + ahead, second, margin: own[best]! - own[second]! };
  });
  const nearest = choices.reduce((least, choice) => (choice.margin < least.margin ? choice : least));
  return rows.map((row, i) => row.map((_, at) => (i === 0 && at === nearest.position ? nearest.second : -100)));
}

/** Adam, which leaves a parameter without a gradient alone. Source: Kingma and Ba, 2015. */
function adam(
  parameters: readonly tf.Variable[],
  learningRate: number,
): { (grads: readonly (tf.Tensor | undefined)[]): void; dispose: () => void } {
  const slots = parameters.map(({ shape }) => ({ mean: tf.zeros(shape), square: tf.zeros(shape), steps: 0 }));
  const update = (grads: readonly (tf.Tensor | undefined)[]): void => {
    slots.forEach((slot, i) => {
      const gradient = grads[i];
      if (!isTensor(gradient)) return;
      slot.steps++;
      const [mean, square, moved] = tf.tidy((): [tf.Tensor, tf.Tensor, tf.Tensor] => {
        const m = tf.add(tf.mul(slot.mean, 0.9), tf.mul(gradient, 0.1));
        const v = tf.add(tf.mul(slot.square, 0.99), tf.mul(tf.square(gradient), 0.01));
        const rate = (learningRate * Math.sqrt(1 - 0.99 ** slot.steps)) / (1 - 0.9 ** slot.steps);
        const next = tf.sub(parameters[i]!, tf.mul(tf.div(m, tf.add(tf.sqrt(v), 1e-8)), rate));
        return [m, v, next];
      });
      parameters[i]!.assign(moved);
      tf.dispose([slot.mean, slot.square, moved]);
      Object.assign(slot, { mean, square });
    });
  };
  return Object.assign(update, { dispose: () => tf.dispose(slots.flatMap(({ mean, square }) => [mean, square])) });
}
