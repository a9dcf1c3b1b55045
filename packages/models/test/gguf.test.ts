import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gguf, GGMLQuantizationType } from '@huggingface/gguf';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { decodeSafetensors, openSafetensors, toFloat32, type TensorData } from '@dropbp/safetensors';
import { ggufFiles } from '../src/gguf/ggufFiles.ts';
import { ggmlTypes } from '../src/gguf/tensors/ggmlTypes.ts';
import { ggufConfig, loadModel, readGguf } from '../src/index.ts';
import { fixtureBlobs, fixtureFolder } from './fixture.ts';
import { ggufBytes } from './ggufBytes.ts';

const folder = fixtureFolder('gguf');

beforeAll(async () => {
  await tf.setBackend('cpu');
});

async function tensorsOf(name: string): Promise<Map<string, TensorData>> {
  return decodeSafetensors(await readFile(`${folder}/${name}.safetensors`)).tensors;
}

/** What a model computes for some tokens. */
async function logits(model: Model, tokens: number[][]): Promise<Float32Array> {
  const result = model.forward(tokens);
  const values = Float32Array.from(await result.data());
  result.dispose();
  return values;
}

async function expectSameModel(actual: Model, expected: Model): Promise<void> {
  expect([...actual.parameters.keys()].sort()).toEqual([...expected.parameters.keys()].sort());
  for (const [name, tensor] of actual.parameters) {
    expect(await tensor.data(), name).toEqual(await expected.parameters.get(name)!.data());
  }
  const tokens = [[1, 30, 7, 2, 9, 11, 4, 23, 16, 5]];
  expect(await logits(actual, tokens)).toEqual(await logits(expected, tokens));
  actual.dispose();
  expected.dispose();
}

describe.each([...ggmlTypes.values()])('$name', ({ name, dequantize }) => {
  it('is read exactly as gguf-py reads it', async () => {
    const path = `${folder}/types/${name}.gguf`;
    const expected = (await tensorsOf('types')).get(name)!;
    const { tensors } = await readGguf(path);
    const { type, shape, offsetBytes, sizeBytes } = tensors.get('blocks')!;
    expect({ type, shape }).toEqual({ type: name, shape: expected.shape });
    const bytes = new Uint8Array(readFileSync(path).subarray(offsetBytes, offsetBytes + sizeBytes));
    const values = new Float32Array(expected.data.length / 4);
    if (dequantize === undefined) values.set(toFloat32(name as 'F32', bytes));
    else dequantize(bytes, values);
    expect(values).toEqual(toFloat32('F32', expected.data));
  });
});

describe('a few rows of a tensor', () => {
  it.each(['llama3', 'gpt2', 'quantised', 'gemma2'])('of %s are those of the whole', async name => {
    const checkpoint = await (await ggufFiles(`${folder}/${name}.gguf`)).openCheckpoint();
    for (const [tensor, { shape }] of checkpoint.tensors) {
      const rows = shape[0]!;
      const whole = await checkpoint.read(tensor);
      const rowBytes = whole.length / rows;
      for (const [from, to] of [
        [0, 1],
        [1, rows - 1],
        [rows - 1, rows],
      ] as const)
        // prettier-ignore
        expect(await checkpoint.read(tensor, [from, to]), tensor).toEqual(whole.slice(from * rowBytes, to * rowBytes));
    }
    await checkpoint.close();
  });
});

describe('the header', () => {
  it.each(['llama3', 'gpt2', 'quantised', 'types/Q4_K'])('of %s says what @huggingface/gguf says', async name => {
    const path = `${folder}/${name}.gguf`;
    const other = await gguf(path, { allowLocalFile: true });
    const header = await readGguf(path);
    const counts = { version: 3, tensor_count: BigInt(header.tensors.size), kv_count: BigInt(header.metadata.size) };
    expect({ ...counts, ...Object.fromEntries(header.metadata) }).toEqual(other.metadata);
    for (const { name: tensor, shape, dtype, offset } of other.tensorInfos) {
      expect(header.tensors.get(tensor)).toMatchObject({
        type: GGMLQuantizationType[dtype],
        shape: shape.map(Number).reverse(),
        offsetBytes: Number(other.tensorDataOffset + offset),
      });
    }
  });

  it('may hold any key, strings of any length, and a byte order mark', async () => {
    const tokens = ['\ufeffmark', 'x'.repeat(3_000_000), 'last'];
    const bytes = ggufBytes({ metadata: [['__proto__', 'key'], ['tokens', tokens], ['large', { u64: 2n ** 60n + 1n }]] }); // prettier-ignore
    const { metadata } = await readGguf(new Blob([bytes]));
    expect([...metadata]).toEqual([['__proto__', 'key'], ['tokens', tokens], ['large', 2n ** 60n + 1n]]); // prettier-ignore
  });
});

describe('a GGUF file', () => {
  const unwindowed = { use_sliding_window: false, layer_types: null };
  /** Each with what sets the file's configuration apart from the folder's. */
  const cases: [string, Record<string, unknown>][] = [
    ['llama', { rope_parameters: { rope_type: 'linear', factor: 3, rope_theta: 1000 } }],
    ['llama3', { rope_parameters: { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192, rope_theta: 500000 } }],
    ['smollm3', { ...unwindowed, no_rope_layers: null }],
    ['qwen2', unwindowed],
    ['qwen3', {}],
    ['gpt2', {}],
    ['gemma2', { query_pre_attn_scalar: 6 }],
    ['gemma3_text', { query_pre_attn_scalar: 6 }],
    ['phi3', { original_max_position_embeddings: 4096, rope_parameters: { rope_type: 'longrope', rope_theta: 10000, short_factor: [1, 1.25], long_factor: [1.5, 4], attention_factor: 1.25 } }],
    ['granite', {}],
    ['olmo2', {}],
    ['olmo3', { rope_parameters: { full_attention: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16, rope_theta: 100, attention_factor: 1.125 }, sliding_attention: { rope_theta: 100 } } }],
    ['ministral3', {}],
    ['cohere2', { layer_types: ['sliding_attention', 'sliding_attention'] }],
    ['glm4', {}],
    ['exaone4', {}],
    ['starcoder2', { sliding_window: null }],
    ['stablelm', {}],
  ]; // prettier-ignore
  it.each(cases)('of %s is the model that it was made of', async (name, changes) => {
    const [actual, expected] = await Promise.all([
      loadModel(`${folder}/${name}.gguf`),
      loadModel(fixtureBlobs(name, changes)),
    ]);
    expect(actual.config).toMatchObject({
      architectures: expected.config.architectures,
      tie_word_embeddings: expected.config.tie_word_embeddings,
    });
    expect(actual.architecture).toBe(expected.architecture);
    expect(actual.source).toBe(`${folder}/${name}.gguf`);
    await expectSameModel(actual, expected);
  });

  it('of mixed types is what transformers reads', async () => {
    const model = await loadModel(`${folder}/quantised.gguf`);
    const expected = await tensorsOf('quantised');
    expect([...model.parameters.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, tensor] of model.parameters) {
      expect(await tensor.data(), name).toEqual(toFloat32('F32', expected.get(name)!.data));
    }
    const golden = JSON.parse(readFileSync(`${folder}/quantised.json`, 'utf8')) as {
      inputIds: number[][];
      logits: number[][];
    };
    const values = await logits(model, golden.inputIds);
    golden.logits.flat().forEach((value, i) => expect(Math.abs(values[i]! - value)).toBeLessThan(1e-4));
    model.dispose();
  });

  it('gives a configuration that says no more digits than the file', async () => {
    const config = ggufConfig(await readGguf(`${folder}/quantised.gguf`));
    expect(config).toEqual({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: 801,
      hidden_size: 32,
      intermediate_size: 64,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      head_dim: 8,
      hidden_act: 'silu',
      max_position_embeddings: 128,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
      attention_bias: false,
      mlp_bias: false,
      bos_token_id: 1,
      eos_token_id: 2,
      pad_token_id: null,
    });
  });

  it('is loaded as a Blob, as a File, and alone among the files of a browser', async () => {
    const bytes = readFileSync(`${folder}/qwen2.gguf`);
    const file = new File([bytes], 'qwen2.gguf');
    for (const source of [new Blob([bytes]), file, [file], new Map([['qwen2.gguf', new Blob([bytes])]])]) {
      const model = await loadModel(source);
      expect(model.source).toBe('');
      await expectSameModel(model, await loadModel(`${folder}/qwen2.gguf`));
    }
  });

  it('is saved as a folder with the tokenizer that was in it', async () => {
    const model = await loadModel(`${folder}/quantised.gguf`);
    const saved = join(await mkdtemp(join(tmpdir(), 'dropbp-gguf-')), 'saved');
    await model.save(saved);
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
    expect((await readdir(saved)).sort()).toEqual(names);
    const checkpoint = await openSafetensors(join(saved, 'model.safetensors'));
    const dtypes = [...checkpoint.tensors.values()].map(({ dtype }) => dtype);
    await checkpoint.close();
    expect([...new Set(dtypes)].sort()).toEqual(['F16', 'F32']);
    await expectSameModel(await loadModel(saved), model);
    await rm(join(saved, '..'), { recursive: true });
  });

  it('tells how far the reading is, and frees what it has read when told to end', async () => {
    const controller = new AbortController();
    const before = tf.memory().numTensors;
    const onTensor = (done: number): void => {
      if (done === 3) controller.abort(new Error('enough'));
    };
    await expect(loadModel(`${folder}/qwen2.gguf`, { onTensor, signal: controller.signal })).rejects.toThrow('enough');
    expect(tf.memory().numTensors).toBe(before);
  });
});
