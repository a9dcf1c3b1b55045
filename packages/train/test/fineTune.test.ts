import * as tf from '@tensorflow/tfjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch, Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { toyModel } from '@dropbp/testing';
import { fineTune, train, type TrainStep } from '../src/index.ts';
import { batchOf, toyTuned } from './toyTuned.ts';

let model: Model;
beforeEach(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});
afterEach(() => {
  model.dispose();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function* batches(): Generator<Batch> {
  for (;;) yield batchOf([8, 3, 3, 3, 4, 6, 2]);
}

describe('fineTune', () => {
  it('does the run of train and sums it up', async () => {
    const options = { steps: 10, learningRate: 0.03 };
    const steps: TrainStep[] = [];
    const evaluate = { batches: () => [batchOf([7, 0, 0, 12])], every: 5 };
    for await (const step of train(toyTuned(model), batches(), { ...options, evaluate })) steps.push(step);
    const heard: number[] = [];
    const summary = await fineTune(toyTuned(model), batches(), {
      ...options,
      evaluate,
      onStep: ({ loss }) => void heard.push(loss),
    });
    expect(heard).toEqual(steps.map(({ loss }) => loss));
    expect(summary).toMatchObject({
      steps: 10,
      firstLoss: steps[0]!.loss,
      lastLoss: steps.at(-1)!.loss,
      heldOutLoss: steps.at(-1)!.heldOutLoss,
      tokens: 60,
      dropped: 0,
      ended: 'steps',
    });
    const evaluated = steps.filter(({ heldOutLoss }) => heldOutLoss !== undefined);
    const lowest = Math.min(...evaluated.map(({ heldOutLoss }) => heldOutLoss!));
    expect(summary.best?.heldOutLoss).toBe(lowest);
    expect(summary.seconds).toBeGreaterThan(0);
  });

  it('says what was dropped, and that it was stopped', async () => {
    const stop = new AbortController();
    const tuned = toyTuned(model, dropBP({ rate: 0.5 }));
    const onStep = ({ step }: TrainStep): void => {
      if (step === 3) stop.abort();
    };
    const summary = await fineTune(tuned, batches(), { steps: 10, learningRate: 0.03, stop: stop.signal, onStep });
    expect(summary).toMatchObject({ steps: 3, ended: 'stop' });
    expect(summary.dropped).toBeGreaterThan(0.2);
  });

  it('passes on what train refuses', async () => {
    await expect(fineTune(toyTuned(model), batches(), { steps: 0, learningRate: 1 })).rejects.toThrow('steps');
  });
});

describe('a run that nobody asks for a step', () => {
  it('warns, and does not where a loop takes it up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const options = { steps: 1, learningRate: 0.1 };
    const taken = train(toyTuned(model), batches(), options);
    const left = train(toyTuned(model), batches(), options);
    await taken.next();
    const ofRuns = (): unknown[] =>
      warn.mock.calls.flat().filter(line => String(line).includes('nothing is being trained'));
    expect(ofRuns()).toEqual([]);
    vi.advanceTimersByTime(2000);
    expect(ofRuns()).toHaveLength(1);
    await taken.return();
    await left.return();
  });
});

it("warns once of tfjs's plain cpu backend", async () => {
  vi.resetModules();
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const { warnOfPlainCpu } = await import('../src/warnings.ts');
  warnOfPlainCpu();
  warnOfPlainCpu();
  expect(warn.mock.calls.flat().filter(line => String(line).includes("plain 'cpu' backend"))).toHaveLength(1);
});
