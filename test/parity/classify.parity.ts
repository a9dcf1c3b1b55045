import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadClassifier, saveClassifier, sequenceClassification, tokenClassification } from '@dropbp/classify';
import { compose, loadAdapter, type Tuned } from '@dropbp/compose';
import type { Model, ObjectiveBatch } from '@dropbp/core';
import { loadModel, withHead } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { modelsFolder, oursFolder, readTensors, relativeError } from './reference.ts';

/** What classify_cases.py wrote of one case. */
interface ClassifyCase {
  readonly model: string;
  readonly task: 'SEQ_CLS' | 'TOKEN_CLS';
  readonly problem: string | null;
  readonly dropped: readonly number[];
  readonly inputIds: number[][];
  readonly attentionMask: number[][];
  readonly labels: number[] | number[][];
  readonly logits: number[][] | number[][][];
  readonly loss: number;
  readonly rate: number;
  readonly losses: readonly number[];
}

const folder = fileURLToPath(new URL('../.cache/classify', import.meta.url));
const names = ['single', 'multiple', 'regression', 'gpt2', 'dropped', 'tokens', 'gpt2-tokens'];
const TOLERANCE = 1e-4;

beforeAll(async () => {
  await tf.setBackend('ort');
});

function readCase(name: string): ClassifyCase {
  return JSON.parse(readFileSync(join(folder, name, 'case.json'), 'utf8')) as ClassifyCase;
}

function batchOf({ inputIds, attentionMask, labels, problem }: ClassifyCase): ObjectiveBatch {
  const isNumber = problem === 'regression' || problem === 'multi_label_classification';
  return {
    inputIds: tf.tensor2d(inputIds, undefined, 'int32'),
    attentionMask: tf.tensor2d(attentionMask, undefined, 'int32'),
    labels: tf.tensor(labels, undefined, isNumber ? 'float32' : 'int32'),
  };
}

/** Of the tokens that the logits of Python are of: all, or the last of each row. */
async function logitsOf(subject: Pick<Model, 'forward'>, given: ClassifyCase): Promise<number[][]> {
  const attentionMask = given.attentionMask;
  const all = subject.forward(given.inputIds, { attentionMask });
  const values = (await all.array().finally(() => all.dispose())) as number[][][];
  const lengths = attentionMask.map(row => row.reduce((sum, is) => sum + is, 0));
  if (given.task === 'SEQ_CLS') return values.map((row, i) => row[lengths[i]! - 1]!);
  return values.flatMap((row, i) => row.slice(0, lengths[i]));
}

function expectedLogits({ task, logits, attentionMask }: ClassifyCase): number[][] {
  if (task === 'SEQ_CLS') return logits as number[][];
  return (logits as number[][][]).flatMap((row, i) => row.filter((_, t) => attentionMask[i]![t] === 1));
}

describe.each(names)('%s, against transformers and PEFT', name => {
  const given = readCase(name);
  const labels = Array.from({ length: expectedLogits(given)[0]!.length }, (_, i) => `L${i}`);
  let base: Model;
  let model: Model;
  let tuned: Tuned;
  beforeEach(async () => {
    base = await loadModel(join(modelsFolder, given.model));
    const isText = given.task === 'SEQ_CLS';
    model = withHead(base, {
      task: isText ? 'sequence-classification' : 'token-classification',
      labels,
      padToken: 0,
      ...(given.problem !== null && { config: { problem_type: given.problem } }),
    });
    const objective = isText ? sequenceClassification() : tokenClassification();
    tuned = compose(model, { adapter: await loadAdapter(join(folder, name, 'adapter')), objective });
  });
  afterEach(() => {
    for (const part of [tuned, model, base]) part.dispose();
  });
  const isDropped = (): boolean[] => model.branches.map((_, i) => given.dropped.includes(i));

  it("logits of PEFT's adapter, loss and gradients", async () => {
    expect(relativeError((await logitsOf(tuned, given)).flat(), expectedLogits(given).flat())).toBeLessThan(TOLERANCE);
    const expected = await readTensors(folder, name, 'gradients.safetensors');
    const batch = batchOf(given);
    const { value, gradients } = await tuned.valueAndGradients(batch, { dropped: isDropped() });
    expect(Math.abs((await value.data())[0]! - given.loss)).toBeLessThan(TOLERANCE * Math.max(1, given.loss));
    expect([...gradients.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [key, values] of expected) {
      expect(relativeError(await gradients.get(key)!.data(), values), key).toBeLessThan(TOLERANCE);
    }
    tf.dispose([value, ...gradients.values(), ...(Object.values(batch) as tf.Tensor[])]);
  });
  it('losses of 20 steps', async () => {
    const batch = batchOf(given);
    for (const [step, expected] of given.losses.entries()) {
      const { value, gradients } = await tuned.valueAndGradients(batch, { dropped: isDropped() });
      expect(Math.abs((await value.data())[0]! - expected), `step ${step}`).toBeLessThan(TOLERANCE * Math.max(1, expected)); // prettier-ignore
      for (const [key, gradient] of gradients) {
        const parameter = tuned.parameters.get(key)!;
        tf.tidy(() => parameter.assign(tf.sub(parameter, tf.mul(gradient, given.rate))));
      }
      tf.dispose([value, ...gradients.values()]);
    }
    tf.dispose(Object.values(batch) as tf.Tensor[]);
  });
  it('leaves the adapter for Python, and loads it again', async () => {
    const ours = await leaveForPython(`classify-${name}`, given, tuned);
    const again = await loadClassifier(ours, { base: join(modelsFolder, given.model) });
    expect(again.labels).toEqual(labels);
    const forward = 'forward' in again.subject ? again.subject : tuned;
    expect(forward).not.toBe(tuned);
    expect(relativeError((await logitsOf(forward, given)).flat(), (await logitsOf(tuned, given)).flat())).toBeLessThan(1e-6); // prettier-ignore
    again.dispose();
  });
});

it('leaves a checkpoint with a head for Python', async () => {
  const given = readCase('single');
  const base = await loadModel(join(modelsFolder, given.model));
  const model = withHead(base, { task: 'sequence-classification', labels: ['a', 'b', 'c'], padToken: 0, seed: 3 });
  const tuned = compose(model, { adapter: fullFineTune(), objective: sequenceClassification() });
  await leaveForPython('classify-checkpoint', given, tuned);
  for (const part of [tuned, model, base]) part.dispose();
});

/** Saves a classifier with the logits of some texts, for check_ours.py. @returns the folder */
async function leaveForPython(name: string, given: ClassifyCase, tuned: Tuned): Promise<string> {
  const at = join(oursFolder, name);
  rmSync(at, { recursive: true, force: true });
  mkdirSync(at, { recursive: true });
  await saveClassifier(tuned, join(at, 'saved'));
  const prompts: { tokens: number[]; logits: number[] }[] = [];
  for (const [i, row] of given.inputIds.entries()) {
    const tokens = row.filter((_, t) => given.attentionMask[i]![t] === 1);
    const alone = { ...given, inputIds: [tokens], attentionMask: [tokens.map(() => 1)] };
    prompts.push({ tokens, logits: (await logitsOf(tuned, alone)).flat() });
  }
  writeFileSync(join(at, 'expected.json'), JSON.stringify({ base: join(modelsFolder, given.model), prompts }));
  return join(at, 'saved');
}
