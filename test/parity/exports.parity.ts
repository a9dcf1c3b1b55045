import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { exportGguf, exportOnnx, type GgufType, type OnnxType } from '@dropbp/export';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { modelsFolder, readReference } from './reference.ts';

/** Logits of each type of file: relative to the largest of torch. */
const LOGITS: Readonly<Record<OnnxType, number>> = { fp32: 1e-5, fp16: 1e-2, q8: 0.2, q4: 0.3 };

let folder: string;
beforeAll(async () => {
  await tf.setBackend('ort');
  folder = await mkdtemp(join(tmpdir(), 'dropbp-exports-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What a Python script of this folder prints for each of several jobs. */
async function judge<T>(script: string, jobs: readonly object[]): Promise<T[]> {
  const args = [`test/parity/${script}`, JSON.stringify(jobs)];
  const { stdout } = await promisify(execFile)('.venv/bin/python', args, { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout) as T[];
}

describe('GGUF files for gguf-py', () => {
  const types = ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'] as const satisfies GgufType[];
  const models = [
    ...['tiny-llama2', 'tiny-llama3', 'tiny-mistral', 'tiny-qwen2', 'tiny-qwen3', 'tiny-smollm', 'tiny-gpt2'],
  ] as const;
  type Verdict = Record<GgufType, { tensors: number; keys: number; faults: string[] }>;
  const verdicts = new Map<string, Verdict>();
  beforeAll(async () => {
    const jobs = [];
    for (const model of models) {
      const files: Partial<Record<GgufType, string>> = {};
      for (const type of types) {
        const file = (files[type] = join(folder, `${model}.${type}.gguf`));
        await exportGguf(join(modelsFolder, model), file, { type });
      }
      jobs.push({ model, files });
    }
    const found = await judge<Verdict>('judge_gguf.py', jobs);
    models.forEach((model, i) => verdicts.set(model, found[i]!));
  }, 300_000);

  it.each(models)('%s has the keys of its configuration, and the bytes that gguf-py would write', model => {
    for (const type of types) {
      const { tensors, keys, faults } = verdicts.get(model)![type];
      expect(faults, type).toEqual([]);
      expect(tensors, type).toBeGreaterThan(20);
      expect(keys, type).toBeGreaterThan(15);
    }
  });
});

describe("folders with ONNX for ONNX's checker and ONNX Runtime", () => {
  const models = [
    ['tiny-llama3', ['fp32', 'fp16', 'q8']],
    ['tiny-mistral', ['fp32']],
    ['tiny-qwen2', ['fp32']],
    ['tiny-qwen3', ['fp32']],
    ['tiny-smollm', ['fp32']],
    ['tiny-gpt2', ['fp32', 'fp16', 'q8', 'q4']],
    ['tiny-pythia', ['fp32']],
  ] as const satisfies [string, OnnxType[]][];
  interface Found {
    readonly whole: number;
    readonly cached: number;
    readonly largest: number;
    readonly tokens: number[];
    readonly expected: number[];
  }
  type Verdict = Partial<Record<OnnxType, Found>>;
  const verdicts = new Map<string, { plain: Verdict; merged: Verdict }>();
  beforeAll(async () => {
    const jobs = [];
    for (const [name, types] of models) {
      const at = (kind: string): string => join(folder, `${name}-${kind}`);
      const model = await loadModel(join(modelsFolder, name));
      const tuned = compose(model, lora({ rank: 2, alpha: 8, targetModules: 'all-linear', initialization: false }));
      await exportOnnx(model, at('plain'), { types });
      await exportOnnx(tuned, at('merged'));
      await tuned.save(at('adapter'));
      for (const one of [tuned, model]) one.dispose();
      const given = { base: name, prompts: readReference(name).prompts, length: 20 };
      jobs.push({ ...given, exported: at('plain'), types });
      jobs.push({ ...given, exported: at('merged'), types: ['fp32'], adapter: at('adapter') });
    }
    const found = await judge<Verdict>('judge_onnx.py', jobs);
    models.forEach(([name], i) => verdicts.set(name, { plain: found[2 * i]!, merged: found[2 * i + 1]! }));
  }, 300_000);

  it.each(models)('%s gives the logits and greedy tokens of torch, and so does a merged adapter', (name, types) => {
    const { plain, merged } = verdicts.get(name)!;
    for (const type of types) {
      const { whole, cached, largest } = plain[type]!;
      expect(Math.max(whole, cached), type).toBeLessThan(LOGITS[type] * largest);
    }
    for (const { whole, cached, largest, tokens, expected } of [plain.fp32!, merged.fp32!]) {
      expect(Math.max(whole, cached)).toBeLessThan(LOGITS.fp32 * largest);
      expect(tokens).toEqual(expected);
    }
    expect(merged.fp32!.tokens).not.toEqual(plain.fp32!.tokens);
  });
});
