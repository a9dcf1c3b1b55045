import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { IGNORED_LABEL, type Batch, type Model } from '@dropbp/core';
import { dropBP, type DropBPOptions } from '@dropbp/dropbp';
import { lora } from '@dropbp/peft-lora';
import { toyModel } from '@dropbp/testing';
import { compose, plannedRate, planStep, promptTokens, type Tuned } from '../src/index.ts';

let model: Model;
beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});
afterAll(() => model.dispose());

const start = (options?: DropBPOptions): Tuned =>
  compose(model, lora({ rank: 2, targetModules: 'all-linear' }), options && dropBP(options));
const shape = { batch: 2, time: 16, prompt: 11 };
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

/** Texts whose first token that predicts a label stands behind the prompt of `shape`. */
function batchWithPrompts(): Batch {
  const { batch, time, prompt } = shape;
  const ids = Array.from({ length: batch }, (_, row) => Array.from({ length: time }, (_, t) => (row * 5 + t * 3) % 13));
  const labels = ids.map(row => row.map((token, t) => (t <= prompt ? IGNORED_LABEL : token)));
  return { inputIds: tf.tensor2d(ids, undefined, 'int32'), labels: tf.tensor2d(labels, undefined, 'int32') };
}

it('plans the FLOPs that steps with dropped prompts save, and the head for answers alone', async () => {
  const tuned = start();
  const plan = planStep(tuned, shape);
  const { value, gradients, flops, droppedFlops } = await tuned.valueAndGradients(batchWithPrompts(), { step: 0, dropPrompts: true }); // prettier-ignore
  tf.dispose([value, ...gradients.values()]);
  const droppable = sum(plan.branchBackwardFlops);
  expect((plan.flops(0) - plan.flops(0, true)) / droppable).toBeCloseTo(droppedFlops / flops, 1);
  expect(plan.flops(0.5, true)).toBeCloseTo((plan.flops(0, true) + plan.flops(1)) / 2, 0);
  expect(plan.flops(1, true)).toBeCloseTo(plan.flops(1), 0);
  const whole = planStep(tuned, { batch: 2, time: 16 });
  expect(whole.otherBackwardFlops / plan.otherBackwardFlops).toBeCloseTo(16 / 5, 10);
  expect(whole.flops(0, true)).toBe(whole.flops(0));
  tuned.dispose();
});

it('plans the bytes of answers, and keys and values of prompts', () => {
  const tuned = start();
  const plan = planStep(tuned, shape);
  const { kvHeads, headSize } = model.branches[0]!.heads!;
  const attentions = model.branches.filter(({ kind }) => kind === 'attention').length;
  const ofPrompts = 4 * 2 * shape.batch * shape.prompt * attentions * kvHeads * headSize;
  expect(plan.memory(1, true) - plan.memory(1)).toBe(ofPrompts);
  expect(sum(plan.answerBytes) / sum(plan.branchBytes)).toBeLessThan(0.5);
  expect(plan.memory(0, true)).toBeCloseTo(plan.memory(1, true) + sum(plan.answerBytes), 0);
  tuned.dispose();
});

it('drops fewer layers for a budget that dropped prompts meet in part, and none where they meet it', () => {
  const saved = 0.4;
  const [layers, both] = [start({ timeSaved: saved }), start({ timeSaved: saved, dropPrompts: true })];
  const plan = planStep(layers, shape);
  const rate = plannedRate(both, shape);
  expect(rate).toBeLessThan(plannedRate(layers, shape));
  expect(plan.flops(rate, true) / plan.flops(0)).toBeCloseTo(1 - saved, 6);
  const little = start({ timeSaved: 0.05, dropPrompts: true });
  expect(plannedRate(little, shape)).toBe(0);
  const memory = Math.ceil(plan.memory(0, true));
  expect(plannedRate(start({ memory, dropPrompts: true }), shape)).toBe(0);
  expect(plannedRate(start({ memory }), shape)).toBeGreaterThan(0);
});

it('draws by the prompts of a batch', async () => {
  const droppedBranches = async (dropPrompts: boolean): Promise<number> => {
    const tuned = start({
      timeSaved: 0.3,
      dropPrompts,
      allocation: 'reference',
      sampling: 'pivotal',
      calibration: false,
    });
    let count = 0;
    for (let step = 0; step < 12; step++) {
      const { value, gradients, dropped } = await tuned.valueAndGradients(batchWithPrompts(), { step });
      count += dropped.filter(Boolean).length;
      tf.dispose([value, ...gradients.values()]);
    }
    tuned.dispose();
    return count;
  };
  expect(await droppedBranches(true)).toBeLessThan((await droppedBranches(false)) / 2);
});

it('counts the tokens of prompts by what predicts the first label', () => {
  const rows = (positions: number[]) => ({ positions: Int32Array.from(positions), labels: [], batch: 2, time: 10 });
  expect(promptTokens(rows([4, 5, 17]) as never)).toBe(5);
  expect(promptTokens(rows([-1, 4, 18, 19]) as never)).toBe(4);
  expect(promptTokens(rows([]) as never)).toBe(0);
});
