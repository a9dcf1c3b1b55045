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
  readonly adapters: Readonly<Record<string, { base: string; trainable: number; logits: number[] }>>;
}

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));
const recorded = JSON.parse(await readFile(join(fixtures, 'logits.json'), 'utf8')) as Recorded;

const models = new Map<string, Model>();
let scratch: string;

beforeAll(async () => {
  await tf.setBackend('cpu');
  scratch = await mkdtemp(join(tmpdir(), 'compose-'));
  for (const base of ['llama', 'gpt2']) models.set(base, await loadModel(join(fixtures, base)));
});
afterAll(async () => {
  for (const model of models.values()) model.dispose();
  await rm(scratch, { recursive: true });
});

async function expectLogits(logits: tf.Tensor, expected: readonly number[]): Promise<void> {
  const values = await logits.data();
  logits.dispose();
  expect(values.length).toBe(expected.length);
  const worst = Math.max(...expected.map((value, i) => Math.abs(values[i]! - value)));
  expect(worst).toBeLessThan(recorded.tolerance);
}

type Config = Record<string, unknown>;

/** A configuration without what saving fills in anew, and with sets in order. */
function comparable(config: Config): Config {
  const names = config.target_modules;
  const target_modules = Array.isArray(names) ? [...(names as string[])].sort() : names;
  return { ...config, target_modules, base_model_name_or_path: null };
}

async function readConfig(folder: string): Promise<Config> {
  return JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as Config;
}

describe.each(Object.entries(recorded.adapters))("PEFT's adapter %s", (name, { base, trainable, logits }) => {
  it('gives the logits of PEFT, merged too', async () => {
    const model = models.get(base)!;
    const before = tf.memory().numTensors;
    const tuned = compose(model, await loadAdapter(join(fixtures, name)));
    expect(tuned.trainableCount).toBe(trainable);
    await expectLogits(tuned.forward(recorded.tokens), logits);
    const merged = tuned.merge();
    await expectLogits(merged.forward(recorded.tokens), logits);
    merged.dispose();
    tuned.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('is saved with the configuration and the tensors that it came with', async () => {
    const tuned = compose(models.get(base)!, await loadAdapter(join(fixtures, name)));
    const folder = join(scratch, name);
    await tuned.save(folder);
    expect(comparable(await readConfig(folder))).toEqual(comparable(await readConfig(join(fixtures, name))));
    const text = await readFile(join(folder, 'adapter_config.json'), 'utf8');
    const original = await readFile(join(fixtures, name, 'adapter_config.json'), 'utf8');
    // The same text but for the order of names, the path of the base and how Python writes a float.
    const lines = (json: string): string[] =>
      json.replaceAll(/: (\d+)\.0\b/g, ': $1').split('\n').filter(line => !line.includes('base_model_name')); // prettier-ignore
    const sorted = (json: string): string[] => lines(json).map(line => line.replace(/,$/, '')).sort(); // prettier-ignore
    expect(sorted(text)).toEqual(sorted(original));
    const [ours, theirs] = await Promise.all(
      [folder, join(fixtures, name)].map(place => openSafetensors(join(place, 'adapter_model.safetensors'))),
    );
    expect(ours!.metadata).toEqual(theirs!.metadata);
    expect([...ours!.tensors.keys()].sort()).toEqual([...theirs!.tensors.keys()].sort());
    for (const [key, { dtype, shape }] of theirs!.tensors) {
      expect(ours!.tensors.get(key)).toMatchObject({ dtype, shape });
      expect(await ours!.read(key)).toEqual(await theirs!.read(key));
    }
    await Promise.all([ours!.close(), theirs!.close()]);
    const again = compose(models.get(base)!, await loadAdapter(folder));
    await expectLogits(again.forward(recorded.tokens), logits);
    again.dispose();
    tuned.dispose();
  });
});
