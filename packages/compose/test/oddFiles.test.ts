import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { loadModel } from '@dropbp/models';
import { openSafetensors } from '@dropbp/safetensors';
import { compose, loadAdapter } from '../src/index.ts';

interface Recorded {
  readonly tokens: number[][];
  readonly tolerance: number;
  readonly adapters: Readonly<Record<string, { base: string; logits: number[] }>>;
}

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const odd = join(fixtures, 'odd');
const recorded = JSON.parse(await readFile(join(odd, 'logits.json'), 'utf8')) as Recorded;

const models = new Map<string, Model>();
let scratch: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
  scratch = await mkdtemp(join(tmpdir(), 'odd-'));
  for (const base of ['llama', 'gpt2']) models.set(base, await loadModel(join(fixtures, base)));
});
afterAll(async () => {
  for (const model of models.values()) model.dispose();
  await rm(scratch, { recursive: true });
});

async function worst(of: Pick<Model, 'forward'>, expected: readonly number[]): Promise<number> {
  const logits = of.forward(recorded.tokens);
  const values = await logits.data();
  logits.dispose();
  expect(values.length).toBe(expected.length);
  return expected.reduce((most, value, i) => Math.max(most, Math.abs(values[i]! - value)), 0);
}

async function namesIn(folder: string): Promise<string[]> {
  const file = await openSafetensors(join(folder, 'adapter_model.safetensors'));
  await file.close();
  return [...file.tensors.keys()].sort();
}

describe.each(Object.entries(recorded.adapters))("PEFT's file of a rare form: %s", (name, { base, logits }) => {
  it('gives the logits of PEFT, merged and saved again too', async () => {
    const model = models.get(base)!;
    const before = tf.memory().numTensors;
    const tuned = compose(model, await loadAdapter(join(odd, name)));
    expect(await worst(tuned, logits)).toBeLessThan(recorded.tolerance);
    const merged = tuned.merge();
    expect(await worst(merged, logits)).toBeLessThan(recorded.tolerance);
    merged.dispose();
    await tuned.save(join(scratch, name));
    tuned.dispose();
    const again = compose(model, await loadAdapter(join(scratch, name)));
    expect(await worst(again, logits)).toBeLessThan(recorded.tolerance);
    again.dispose();
    expect(tf.memory().numTensors).toBe(before);
    // An old file without biases gets them when it is saved: PEFT reads those.
    const stored = await namesIn(join(scratch, name));
    const came = await namesIn(join(odd, name));
    const isOld = name.startsWith('biases-of-');
    expect(stored.filter(key => !isOld || !key.endsWith('.base_layer.bias'))).toEqual(came);
    expect(stored.length > came.length).toBe(isOld);
  });
});
