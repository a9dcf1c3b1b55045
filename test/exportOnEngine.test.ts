import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { exportOnnx, type OnnxType } from '@dropbp/export';
import { createModel, loadModel } from '@dropbp/models';

const fixtures = fileURLToPath(new URL('../packages/models/test/fixtures', import.meta.url));

let folder: string;
beforeAll(async () => {
  await tf.setBackend('ort');
  folder = mkdtempSync(join(tmpdir(), 'export-onnx-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

interface Pass {
  readonly logits: Float32Array;
  readonly cache: Record<string, Tensor>;
}

const int64 = (rows: readonly (readonly number[])[]): Tensor =>
  new Tensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);

/** One pass of an exported file in ONNX Runtime, whose package for Node is not our engine. */
async function run(
  session: InferenceSession,
  model: Model,
  ids: readonly (readonly number[])[],
  mask: readonly (readonly number[])[],
  positions: readonly (readonly number[])[],
  cache?: Record<string, Tensor>,
): Promise<Pass> {
  const { kvHeads, headSize } = model.branches.find(({ heads }) => heads !== undefined)!.heads!;
  const past = session.inputNames.filter(name => name.startsWith('past_key_values'));
  const empty = (): Tensor => new Tensor('float32', new Float32Array(), [ids.length, kvHeads, 0, headSize]);
  const feeds = { input_ids: int64(ids), attention_mask: int64(mask), position_ids: int64(positions) };
  const own = Object.fromEntries(past.map(name => [name, cache?.[name] ?? empty()]));
  const results = await session.run({ ...feeds, ...own });
  const longer = past.map(name => [name, results[name.replace('past_key_values', 'present')]!] as const);
  return { logits: results.logits!.data as Float32Array, cache: Object.fromEntries(longer) };
}

async function ours(model: Model, ids: number[][]): Promise<Float32Array> {
  const logits = model.forward(ids);
  const values = Float32Array.from(await logits.data());
  logits.dispose();
  return values;
}

const worst = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

const places = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

describe.each(['llama3', 'mistral', 'qwen2', 'qwen3', 'smollm3', 'gpt2', 'gpt_neox'])('%s as a file of ONNX', name => {
  const ids = [
    [1, 30, 7, 2, 9, 11, 4, 23, 16, 5],
    [3, 8, 1, 19, 22, 6, 14, 2, 2, 10],
  ];

  it('gives our logits at once, in two passes through the cache, and with padding in front', async () => {
    const model = await loadModel(join(fixtures, name));
    await exportOnnx(model, join(folder, name));
    const session = await InferenceSession.create(join(folder, name, 'onnx/model.onnx'));
    const expected = await ours(model, ids);
    const two = [places(10), places(10)];
    const ones = two.map(row => row.map(() => 1));
    const whole = await run(session, model, ids, ones, two);
    expect(worst(whole.logits, expected)).toBeLessThan(5e-5);

    const cut = (rows: number[][], from: number, to: number): number[][] => rows.map(row => row.slice(from, to));
    const first = await run(session, model, cut(ids, 0, 4), cut(ones, 0, 4), cut(two, 0, 4));
    const second = await run(session, model, cut(ids, 4, 10), ones, cut(two, 4, 10), first.cache);
    const rest = [0, 1].flatMap(row => Array.from(expected.subarray((10 * row + 4) * model.vocabSize, 10 * (row + 1) * model.vocabSize))); // prettier-ignore
    expect(worst(second.logits, Float32Array.from(rest))).toBeLessThan(5e-5);

    const padded = [ids[0]!, [0, 0, 0, ...ids[1]!.slice(0, 7)]];
    const mask = [ones[0]!, [0, 0, 0, 1, 1, 1, 1, 1, 1, 1]];
    const shifted = await run(session, model, padded, mask, [places(10), [0, 0, 0, ...places(7)]]);
    const alone = await ours(model, [ids[1]!.slice(0, 7)]);
    expect(worst(shifted.logits.subarray(13 * model.vocabSize), alone)).toBeLessThan(5e-5);
    await session.release();
    model.dispose();
  });
});

describe('the files of a folder', () => {
  const sizes = { vocab_size: 64, hidden_size: 64, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 2, initializer_range: 0.1 }; // prettier-ignore
  it('hold the weights in fewer bits, inside or in a file beside them', async () => {
    const model = createModel({ model_type: 'llama', ...sizes }, { seed: 2 });
    const ids = [[1, 2, 3, 4, 5]];
    const expected = await ours(model, ids);
    const largest = Math.max(...expected.map(Math.abs));
    const types: [OnnxType, string, number][] = [
      ['fp32', 'model', 1e-5],
      ['fp16', 'model_fp16', 2e-3],
      ['q8', 'model_quantized', 0.03],
      ['q4', 'model_q4', 0.4],
    ];
    for (const maxInlineBytes of [1e9, 1e4]) {
      const { sizeBytes } = await exportOnnx(model, join(folder, 'types'), { types: types.map(([type]) => type), maxInlineBytes }); // prettier-ignore
      const files = readdirSync(join(folder, 'types/onnx'));
      expect(files.length).toBe(maxInlineBytes === 1e9 ? 4 : 8);
      expect(sizeBytes.q4!).toBeLessThan(sizeBytes.q8!);
      expect(sizeBytes.q8!).toBeLessThan(sizeBytes.fp16!);
      for (const [type, file, tolerance] of types) {
        const session = await InferenceSession.create(join(folder, 'types/onnx', `${file}.onnx`));
        const { logits } = await run(session, model, ids, [[1, 1, 1, 1, 1]], [places(5)]);
        expect(worst(logits, expected) / largest, type).toBeLessThan(tolerance);
        await session.release();
      }
    }
    const config = JSON.parse(readFileSync(join(folder, 'types/config.json'), 'utf8')) as Record<string, unknown>;
    expect(config).toMatchObject({ model_type: 'llama', 'transformers.js_config': { use_external_data_format: { 'model.onnx': true } } }); // prettier-ignore
    model.dispose();
  });

  it('are not written where one table of positions or the backend is not enough', async () => {
    const dynamic = { rope_scaling: { rope_type: 'dynamic', factor: 2 }, max_position_embeddings: 32 };
    const model = createModel({ model_type: 'llama', ...sizes, ...dynamic }, { seed: 2 });
    await expect(exportOnnx(model, join(folder, 'no'), { maxPositions: 64 })).rejects.toThrow("follows the sequence's length"); // prettier-ignore
    await expect(exportOnnx(model, join(folder, 'no'), { types: ['q5' as OnnxType] })).rejects.toThrow('got ["q5"]');
    const experts = { num_local_experts: 2, num_experts_per_tok: 1, num_key_value_heads: 1 };
    const mixture = createModel({ model_type: 'mixtral', ...sizes, ...experts }, { seed: 2 });
    await expect(exportOnnx(mixture, join(folder, 'no'))).rejects.toThrow('its experts are products by groups');
    mixture.dispose();
    await tf.setBackend('cpu');
    await expect(exportOnnx(model, join(folder, 'no'))).rejects.toThrow(`got "cpu"; expected 'ort'`);
    await tf.setBackend('ort');
    expect(readdirSync(folder)).not.toContain('no');
    model.dispose();
  });
});
