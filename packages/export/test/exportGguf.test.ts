import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { createModel, loadModel, openWeights, readGguf } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { exportGguf, type GgufType } from '../src/index.ts';

const fixtures = fileURLToPath(new URL('../../models/test/fixtures', import.meta.url));
let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  tf.enableProdMode();
  await tf.setBackend('cpu');
  folder = mkdtempSync(join(tmpdir(), 'export-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Every weight of a folder or file, by its name in transformers. */
async function weightsOf(source: string): Promise<Map<string, Float32Array>> {
  const opened = await openWeights(source);
  const values = new Map<string, Float32Array>();
  for (const name of opened.shapes.keys()) values.set(name, await opened.read(name));
  await opened.close();
  return values;
}

async function logits(source: string): Promise<Float32Array> {
  const model = await loadModel(source);
  const result = model.forward([[1, 5, 2]]);
  const values = Float32Array.from(await result.data());
  result.dispose();
  model.dispose();
  return values;
}

describe.each(['llama', 'mistral', 'qwen2', 'qwen3', 'granite', 'gpt2'])('%s, made by transformers', name => {
  it('comes back with the same weights and logits from a file of F32', async () => {
    const file = at(`${name}.gguf`);
    const written = await exportGguf(join(fixtures, name), file, { type: 'F32', tokenizer: false });
    expect(written.sizeBytes).toBe(readFileSync(file).length);
    expect(await weightsOf(file)).toEqual(await weightsOf(join(fixtures, name)));
    expect(await logits(file)).toEqual(await logits(join(fixtures, name)));
  });

  it('holds what gguf-py writes, apart from what says where it came from', async () => {
    if (name === 'mistral') return;
    const [ours, theirs] = [await readGguf(at(`${name}.gguf`)), await readGguf(join(fixtures, 'gguf', `${name}.gguf`))];
    const shapes = ({ tensors }: typeof ours) => [...tensors].map(([key, { shape }]) => `${key} ${String(shape)}`);
    expect(shapes(ours).sort()).toEqual(shapes(theirs).sort());
    for (const key of [...theirs.metadata.keys()].filter(key => /head|length|count|epsilon|scale$/.test(key))) {
      // The window of Qwen2 is shorter than its positions, which gguf-py's file does not say.
      if (key !== 'qwen2.context_length') expect(ours.metadata.get(key), key).toEqual(theirs.metadata.get(key));
    }
  });
});

describe('scaled positions', () => {
  const sizes = {
    vocab_size: 32,
    hidden_size: 32,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
  };
  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 }; // prettier-ignore
  it.each([
    { rope_theta: 5000 },
    { rope_scaling: { rope_type: 'linear', factor: 4 } },
    { rope_theta: 500000, rope_scaling: llama3 },
    { rope_parameters: { rope_theta: 20000, ...llama3 } },
  ])('%o come back', async rope => {
    const model = createModel({ model_type: 'llama', ...sizes, ...rope }, { seed: 1 });
    await exportGguf(model, at('rope.gguf'), { type: 'F32', tokenizer: false });
    const again = await loadModel(at('rope.gguf'));
    const [a, b] = [model, again].map(each => each.forward([[1, 2, 3, 4, 5, 6, 7, 8]]).dataSync());
    expect(b).toEqual(a);
    model.dispose();
    again.dispose();
  });
});

describe('types of fewer bits', () => {
  it.each<[GgufType, number, Partial<Record<GgufType, number>>]>([
    ['F16', 5e-4, { F16: 9, F32: 3 }],
    ['BF16', 4e-3, { BF16: 9, F32: 3 }],
    ['Q8_0', 8e-3, { Q8_0: 9, F32: 3 }],
    ['Q4_0', 0.13, { Q8_0: 2, Q4_0: 7, F32: 3 }],
    ['Q4_K', 0.1, { Q8_0: 2, Q4_K: 7, F32: 3 }],
  ])('%s is within %d of the weights', async (type, tolerance, types) => {
    const config = { model_type: 'llama', vocab_size: 64, hidden_size: 256, intermediate_size: 256 };
    const heads = { num_hidden_layers: 1, num_attention_heads: 4 };
    const model = createModel({ ...config, ...heads }, { seed: 3 });
    const file = at(`${type}.gguf`);
    expect((await exportGguf(model, file, { type, tokenizer: false })).types).toEqual(types);
    const again = await weightsOf(file);
    for (const [name, tensor] of model.parameters) {
      const [values, read] = [await tensor.data(), again.get(name)!];
      const rms = (of: (i: number) => number): number =>
        Math.sqrt(read.reduce((sum, _, i) => sum + of(i) ** 2, 0) / read.length);
      const off = rms(i => read[i]! - values[i]!) / rms(i => values[i]!);
      expect(off, name).toBeLessThan(tolerance);
    }
    model.dispose();
  });

  it('a matrix whose rows are not whole blocks takes the next larger type', async () => {
    const written = await exportGguf(join(fixtures, 'llama'), at('odd.gguf'), { type: 'Q4_K', tokenizer: false });
    expect(Object.keys(written.types).sort()).toEqual(['F16', 'F32']);
  });
});

describe('what cannot be written', () => {
  const model = () =>
    createModel(
      { model_type: 'llama', vocab_size: 8, hidden_size: 8, intermediate_size: 8, num_hidden_layers: 1, num_attention_heads: 1 }, // prettier-ignore
      { seed: 1 },
    );

  it('is refused with what to do, and leaves no file', async () => {
    const target = at('refused.gguf');
    const plain = model();
    await expect(exportGguf(plain, target)).rejects.toThrow('came without a tokenizer.json; put it into the folder');
    await expect(exportGguf(plain, target, { type: 'Q9' as GgufType })).rejects.toThrow(
      'got "Q9"; expected one of F32',
    );
    await expect(exportGguf(plain, target, { typ: 'F32' } as object)).rejects.toThrow("did you mean 'type'");
    const large = plain.withParameters(new Map([['model.norm.weight', tf.fill([8], NaN)]]));
    await expect(exportGguf(large, target, { tokenizer: false })).rejects.toThrow("'model.norm.weight' holds NaN");
    const wide = plain.withParameters(new Map([['model.embed_tokens.weight', tf.fill([8, 8], 1e6)]]));
    await expect(exportGguf(wide, target, { tokenizer: false })).rejects.toThrow("does not fit F16; got 1000000; expected values up to 65504; write it as type: 'BF16'"); // prettier-ignore
    expect(readdirSync(folder).filter(name => name.includes('refused'))).toEqual([]);
    for (const each of [plain, large, wide]) each.dispose();
  });

  it('an architecture that llama.cpp computes in another way', async () => {
    const file = (name: string) => exportGguf(join(fixtures, name), at('no.gguf'), { tokenizer: false });
    await expect(file('smollm3')).rejects.toThrow('turns positions in other layers (no_rope_layers)');
    await expect(file('olmo2')).rejects.toThrow('no such biases in its attention');
    await expect(file('gpt_neox')).rejects.toThrow('not written as GGUF; got "gpt_neox"');
  });

  it('ends by a signal, with its reason and without a file', async () => {
    const controller = new AbortController();
    const stop = (done: number): void => (done === 3 ? controller.abort(new Error('enough')) : undefined);
    const ended = exportGguf(join(fixtures, 'llama'), at('ended.gguf'), { tokenizer: false, onTensor: stop, signal: controller.signal }); // prettier-ignore
    await expect(ended).rejects.toThrow('enough');
    expect(readdirSync(folder).filter(name => name.includes('ended'))).toEqual([]);
  });
});

it('a model with its adapter is merged first', async () => {
  const model = await loadModel(join(fixtures, 'llama'));
  const tuned = compose(model, lora({ rank: 2, targetModules: 'all-linear', initialization: 'gaussian' }));
  for (const [name, variable] of tuned.parameters) {
    if (name.endsWith('lora_B.weight')) variable.assign(tf.randomNormal(variable.shape, 0, 0.1, 'float32', 7));
  }
  await exportGguf(tuned, at('merged.gguf'), { type: 'F32', tokenizer: false });
  const merged = tuned.merge();
  const again = await weightsOf(at('merged.gguf'));
  for (const [name, tensor] of merged.parameters) expect(again.get(name)).toEqual(await tensor.data());
  const full = compose(model, fullFineTune());
  await exportGguf(full, at('full.gguf'), { type: 'F32', tokenizer: false });
  expect(await logits(at('full.gguf'))).toEqual(await logits(join(fixtures, 'llama')));
  for (const each of [merged, tuned, full, model]) each.dispose();
});
