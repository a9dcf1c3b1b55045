import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { describe, expect, it } from 'vitest';
import { compose, type Tuned } from '@dropbp/compose';
import { IGNORED_LABEL, type Batch } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { lora } from '@dropbp/peft-lora';
import { withToy, type Toy } from './withToy.ts';

let toy: Toy;

const makeTuned = (options: Parameters<typeof dropBP>[0]): Tuned =>
  compose(toy.model, lora({ rank: 2, alpha: 4, targetModules: ['q', 'v'], seed: 3 }), dropBP(options));

/** Texts of which the last two tokens count. */
function batchWithPrompts(): Batch {
  const rows = [[8, 3, 3, 3, 4, 6, 2], [5, 5, 11, 9, 0, 1, 2]]; // prettier-ignore
  const labels = rows.map(row => row.map((token, t) => (t < 5 ? IGNORED_LABEL : token)));
  return { inputIds: tf.tensor2d(rows, undefined, 'int32'), labels: tf.tensor2d(labels, undefined, 'int32') };
}

/** ρ by the definition, from the whole gradients and those without prompts, sample by sample. */
async function similarityOf(tuned: Tuned, batch: Batch): Promise<number> {
  let [both, whole, partial] = [0, 0, 0];
  const [rows] = batch.inputIds.shape as [number];
  for (let row = 0; row < rows; row++) {
    const sample = {
      inputIds: tf.slice(batch.inputIds, [row, 0], [1, -1]),
      labels: tf.slice(batch.labels, [row, 0], [1, -1]),
    };
    const passes = [];
    for (const dropPrompts of [false, true]) {
      passes.push(await tuned.valueAndGradients(sample, { step: 0, dropPrompts, dropped: tuned.model.branches.map(() => false) })); // prettier-ignore
    }
    const [a, b] = passes as [(typeof passes)[0], (typeof passes)[0]];
    for (const [name, gradient] of a.gradients) {
      const [x, y] = [await gradient.data(), await b.gradients.get(name)!.data()];
      x.forEach((value, i) => {
        both += value * y[i]!;
        whole += value ** 2;
        partial += y[i]! ** 2;
      });
    }
    tf.dispose([sample, ...passes.flatMap(({ value, gradients }) => [value, ...gradients.values()])]);
  }
  return both / Math.sqrt(whole * partial);
}

describe.each(['cpu', 'ort'])("dropPrompts: 'auto' on %s", backend => {
  withToy(backend, made => (toy = made));

  it('measures ρ and what is saved, and drops prompts where ρ² is above 1 − saved', async () => {
    const tuned = makeTuned({ rate: 0, dropPrompts: 'auto' });
    const batch = batchWithPrompts();
    const run = tuned.beginRun({ passes: 9 });
    const before = tf.memory().numTensors;
    expect(await run.measure(0, batch)).toBe(true);
    expect(tf.memory().numTensors).toBe(before);
    const { similarity, saved, dropsPrompts, pass } = run.promptDecision!;
    expect(similarity).toBeCloseTo(await similarityOf(tuned, batch), 4);
    expect(similarity).toBeLessThan(0.9999);
    expect(saved).toBeGreaterThan(0.1);
    expect(saved).toBeLessThan(0.5);
    expect(dropsPrompts).toBe(similarity ** 2 > 1 - saved);
    expect(pass).toBe(0);
    expect(await run.measure(1, batch)).toBe(false);
    tf.dispose([batch.inputIds, batch.labels]);
    tuned.dispose();
  });
  it('measures in the metric that it is given', async () => {
    const tuned = makeTuned({ rate: 0, dropPrompts: 'auto' });
    const batch = batchWithPrompts();
    const plain = tuned.beginRun({ passes: 9 });
    await plain.measure(0, batch);
    const [first] = tuned.parameters.keys();
    const run = makeTuned({ rate: 0, dropPrompts: 'auto' }).beginRun({ passes: 9 });
    // Of one parameter alone.
    await run.measure(0, batch, (name, parameter) => (name === first ? tf.onesLike(parameter) : undefined));
    expect(run.promptDecision!.similarity).not.toBeCloseTo(plain.promptDecision!.similarity, 5);
    tf.dispose([batch.inputIds, batch.labels]);
    tuned.dispose();
  });
  it('follows the decision in training passes, which a state brings back', async () => {
    const tuned = makeTuned({ rate: 0, dropPrompts: 'auto' });
    const batch = batchWithPrompts();
    const droppedFlops = async (): Promise<number> => {
      const pass = await tuned.valueAndGradients(batch, { step: 1 });
      tf.dispose([pass.value, ...pass.gradients.values()]);
      return pass.droppedFlops;
    };
    const run = tuned.beginRun({ passes: 9 });
    const state = run.state!;
    expect(await droppedFlops()).toBe(0);
    for (const dropsPrompts of [true, false]) {
      const decision = { pass: 0, similarity: 0.9, saved: 0.4, dropsPrompts };
      run.restore({ ...state, prompts: { decisions: [decision], pending: null } });
      expect(await run.measure(5, batch)).toBe(false);
      expect((await droppedFlops()) > 0).toBe(dropsPrompts);
    }
    tf.dispose([batch.inputIds, batch.labels]);
    tuned.dispose();
  });
  it('keeps prompts, and says so once, with a model or a loss that cannot divide texts', async () => {
    const batch = batchWithPrompts();
    const adapter = () => lora({ rank: 2, targetModules: ['q', 'v'], seed: 3 });
    const options = { adapter: adapter(), drop: dropBP({ rate: 0, dropPrompts: 'auto' }) };
    const whole = { ...toy.model, takesDividedTexts: false };
    for (const tuned of [
      compose(whole, options),
      compose(toy.model, { ...options, loss: logits => tf.mean(logits) }),
    ]) {
      const run = tuned.beginRun({ passes: 120 });
      const measured = [];
      for (const pass of [0, 1, 12, 13]) measured.push(await run.measure(pass, batch));
      expect(measured).toEqual([true, false, false, false]);
      expect(run.promptDecision).toMatchObject({ pass: 0, saved: 0, dropsPrompts: false, isPossible: false });
      const { value, gradients, droppedFlops } = await tuned.valueAndGradients(batch);
      expect(droppedFlops).toBe(0);
      tf.dispose([value, ...gradients.values()]);
      tuned.dispose();
    }
    const always = compose(whole, { adapter: adapter(), drop: dropBP({ rate: 0, dropPrompts: true }) });
    await expect(always.valueAndGradients(batch)).rejects.toThrow(/texts cannot be divided.*leave out dropPrompts/);
    always.dispose();
    tf.dispose([batch.inputIds, batch.labels]);
  });
  it('finds nothing to drop where every token counts', async () => {
    const tuned = makeTuned({ rate: 0, dropPrompts: 'auto' });
    const run = tuned.beginRun({ passes: 9 });
    await run.measure(0, toy.batch);
    expect(run.promptDecision).toEqual({
      pass: 0,
      similarity: expect.closeTo(1, 5) as number,
      saved: 0,
      dropsPrompts: false,
    });
    tuned.dispose();
  });
});

describe('a run without a gate', () => {
  withToy('cpu', made => (toy = made));

  it('has no decisions, and refuses those of a state', async () => {
    const tuned = makeTuned({ rate: 0, dropPrompts: true });
    const run = tuned.beginRun({ passes: 9 });
    expect(await run.measure(0, toy.batch)).toBe(false);
    expect(run.promptDecision).toBeUndefined();
    expect(run.state).not.toHaveProperty('prompts');
    expect(() => run.restore({ ...run.state, prompts: { decisions: [], pending: null } })).toThrow(
      'the checkpoint has decisions on dropped prompts, and this run makes none',
    );
    tuned.dispose();
  });
});
