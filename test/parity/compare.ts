import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import type { Tuned } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { forwardOutputs } from '@dropbp/testing';
import { adamW, constant, cosine, train, type AdamWOptions } from '@dropbp/train';
import { makeBatch, oursFolder, type OptimizerReference, type Reference } from './reference.ts';

/** Losses of a training run: relative. */
const LOSS = 1e-3;

/** Flat, `[time · vocabSize]`; of an encoder the states, `[time · hiddenSize]`. */
export async function logits(runnable: Pick<Model, 'forward'>, tokens: number[]): Promise<Float32Array> {
  const isWhole = 'internal' in runnable || 'branches' in runnable;
  const result = isWhole ? forwardOutputs(runnable as Model | Tuned, [tokens]) : runnable.forward([tokens]);
  const values = Float32Array.from(await result.data());
  result.dispose();
  return values;
}

/** Trains on the reference's batches in turn. The schedule's factor is given for each step, counted from 0. */
export async function trainingLosses(
  tuned: Tuned,
  reference: Reference,
  steps: number,
  optimizer: OptimizerReference,
  schedule: { kind: string; warmupSteps: number; maxGradNorm: number | null },
  rates: Partial<AdamWOptions> = {},
): Promise<number[]> {
  const { learningRate, ...rest } = optimizer;
  const batches = Array.from({ length: steps }, (_, i) =>
    makeBatch(reference.batches![i % reference.batches!.length]!),
  );
  const { warmupSteps, maxGradNorm } = schedule;
  const result: number[] = [];
  const run = train(tuned, batches, {
    steps,
    learningRate,
    optimizer: adamW({ learningRate, ...rest, ...rates }),
    schedule: schedule.kind === 'cosine' ? cosine({ warmupSteps }) : constant({ warmupSteps }),
    maxGradientNorm: maxGradNorm ?? Infinity,
  });
  for await (const step of run) result.push(step.loss);
  return result;
}

export function expectLosses(actual: number[], expected: number[]): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((loss, i) => {
    expect(Math.abs(loss - expected[i]!) / expected[i]!, `step ${i}: ${loss}, expected ${expected[i]!}`).toBeLessThan(
      LOSS,
    );
  });
}

/** Writes an adapter or checkpoint of ours with its logits, for check_ours.py to load and compare. */
export async function leaveForPython(
  name: string,
  reference: Pick<Reference, 'prompts'>,
  runnable: Pick<Model, 'forward'>,
  save: (folder: string) => Promise<void>,
  base: string,
): Promise<void> {
  // prettier-ignore
  const folder = join(oursFolder, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await save(join(folder, 'saved'));
  const expected = [];
  for (const tokens of reference.prompts) expected.push({ tokens, logits: [...(await logits(runnable, tokens))] });
  writeFileSync(join(folder, 'expected.json'), JSON.stringify({ base, prompts: expected }));
}

/**
 * Gradients by torch's names. A prefix is one table there, in which the branches that were dropped have zeros, and none where
 * all were.
 */
export async function gradientsAsInTorch(
  { adapter, parameters }: Tuned,
  gradients: ReadonlyMap<string, tf.Tensor>,
): Promise<Map<string, ArrayLike<number>>> {
  const isPrefix = adapter.name === 'prefix tuning' && ![...parameters.keys()].some(name => name.startsWith('prompt_'));
  if (isPrefix) {
    if (gradients.size === 0) return new Map();
    const table = tf.tidy(() => tf.concat([...parameters].map(([name, of]) => gradients.get(name) ?? tf.zerosLike(of)), 1)); // prettier-ignore
    const values = await table.data();
    table.dispose();
    return new Map([['prompt_encoder.embedding.weight', values]]);
  }
  const entries = [...gradients].map(async ([name, gradient]) => [torchName(name), await gradient.data()] as const);
  return new Map(await Promise.all(entries));
}

function torchName(name: string): string {
  if (name.endsWith('.prompt_embeddings')) return 'prompt_encoder.embedding.weight';
  const at = name.indexOf('prompt_encoder.');
  return at < 0 ? name : name.slice(at);
}
