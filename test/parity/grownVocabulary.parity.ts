import { tokenHead } from '@dropbp/core';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { loadModel, resizeTokenEmbeddings } from '@dropbp/models';
import { lora, type LoraOptions } from '@dropbp/peft-lora';

beforeAll(() => tf.setBackend('cpu'));

const added = 3;

/** What adapters train besides the layers. */
function trained(size: number, embedding: string, isTied: boolean): Record<string, Partial<LoraOptions>> {
  const rows = Array.from({ length: added }, (_, i) => size + i);
  return {
    layers: {},
    'all new rows': { trainableTokenIndices: isTied ? rows : { [embedding]: rows, lm_head: rows } },
    'some rows': { trainableTokenIndices: [size + 1, 5] },
    embedding: { modulesToSave: [embedding] },
  };
}

describe.each([
  ['tiny-llama3', 'q_proj'],
  ['tiny-gpt2', 'c_attn'],
])('adapters of a grown vocabulary on %s', (name, targets) => {
  it('compute in PEFT, on a base that transformers has resized, what they compute here', async () => {
    const path = join('test/.models', name);
    const folder = await mkdtemp(join(tmpdir(), 'dropbp-grown-'));
    const base = await loadModel(path);
    const size = base.vocabSize;
    const model = resizeTokenEmbeddings(base, size + added);
    const ids = [3, size, 7, size + 1, size + 2, 9];
    const ours = new Map<string, Float32Array>();
    const embedding = base.embedding.split('.').at(-1)!;
    for (const [what, options] of Object.entries(
      trained(size, embedding, tokenHead(base).weight === `${base.embedding}.weight`),
    )) {
      const tuned = compose(model, lora({ rank: 2, targetModules: [targets], initialization: false, ...options }));
      // Trained values: those of new rows are no longer what any base has.
      for (const [parameter, value] of tuned.parameters) {
        if (!parameter.includes('lora_'))
          value.assign(tf.add(value, tf.randomNormal(value.shape, 0, 0.05, 'float32', 4)));
      }
      const adapter = join(folder, what.replaceAll(' ', '-'));
      await tuned.save(adapter);
      ours.set(adapter, (await tuned.forward([ids]).data()) as Float32Array);
      tuned.dispose();
    }
    const args = ['test/parity/grown_vocabulary.py', path, String(size + added), JSON.stringify(ids), ...ours.keys()];
    const { stdout } = await promisify(execFile)('.venv/bin/python', args, { maxBuffer: 2 ** 28 });
    const theirs = JSON.parse(stdout) as Record<string, number[]>;
    for (const [adapter, values] of ours) {
      const expected = theirs[adapter]!;
      expect(values.length).toBe(expected.length);
      const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - values[i]!)), 0);
      expect(worst, adapter).toBeLessThan(1e-4);
    }
    for (const one of [model, base]) one.dispose();
    await rm(folder, { recursive: true });
  });
});
