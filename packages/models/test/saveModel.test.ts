import * as tf from '@tensorflow/tfjs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { decodeSafetensors, fromFloat32, toFloat32 } from '@dropbp/safetensors';
import { createModel, loadModel } from '../src/index.ts';
import { fixtureBlobs, fixtureFolder, readConfig, readGolden } from './fixture.ts';

let parent: string;
let folder: string;

beforeAll(async () => {
  await tf.setBackend('cpu');
});
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'dropbp-models-'));
  folder = join(parent, 'saved');
});
afterEach(async () => {
  await rm(parent, { recursive: true });
});

async function readJson(name: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, name), 'utf8'));
}

async function weights(directory = folder) {
  return decodeSafetensors(await readFile(join(directory, 'model.safetensors')));
}

describe('save', () => {
  for (const name of ['llama', 'llama3', 'gpt2', 'gpt_neox', 'gemma2', 'phi3']) {
    it(`writes what was read, in its own type: ${name}`, async () => {
      const model = await loadModel(fixtureFolder(name));
      await model.save(folder);
      model.dispose();
      expect(await readdir(parent)).toEqual(['saved']); // nothing temporary stays
      expect((await readdir(folder)).sort()).toEqual(['config.json', 'model.safetensors']);
      expect(await readJson('config.json')).toEqual(readConfig(name));
      const [saved, original] = [await weights(), await weights(fixtureFolder(name))];
      expect(saved.metadata).toEqual({ format: 'pt' });
      expect(new Set(saved.tensors.keys())).toEqual(new Set(original.tensors.keys()));
      for (const [tensor, { dtype, shape, data }] of saved.tensors) {
        const before = original.tensors.get(tensor)!;
        expect({ dtype, shape }).toEqual({ dtype: before.dtype, shape: before.shape });
        expect(Buffer.from(data).equals(before.data), tensor).toBe(true);
      }
    });
  }

  it('writes whole numbers with a point where transformers takes no others', async () => {
    const model = await loadModel(fixtureFolder('gemma2'));
    await model.save(folder);
    model.dispose();
    expect(await readFile(join(folder, 'config.json'), 'utf8')).toContain('"final_logit_softcapping": 2.0,');
  });

  it.each(['gemma3', 'mistral3'])('writes the language model of a %s checkpoint', async name => {
    const model = await loadModel(fixtureFolder(name));
    await model.save(folder);
    const again = await loadModel(folder);
    expect(again.architecture).toBe({ gemma3: 'gemma3_text', mistral3: 'mistral' }[name]);
    expect([...(await weights()).tensors.keys()].filter(key => !key.startsWith('model.'))).toEqual([]);
    const [ours, expected] = [again.forward([[1, 2, 3]]), model.forward([[1, 2, 3]])];
    expect(await ours.data()).toEqual(await expected.data());
    tf.dispose([ours, expected]);
    model.dispose();
    again.dispose();
  });

  it('writes another type where it is told, and says so in the configuration', async () => {
    const model = await loadModel(fixtureFolder('gpt2'));
    for (const [dtype, name] of [['F32', 'float32'], ['F16', 'float16'], ['BF16', 'bfloat16']] as const) {
      await model.save(folder, { dtype });
      expect(await readJson('config.json')).toEqual({ ...readConfig('gpt2'), dtype: name });
      for (const [tensor, stored] of (await weights()).tensors) {
        expect(stored.dtype).toBe(dtype);
        const values = (await model.parameters.get(tensor)!.data()) as Float32Array;
        expect(toFloat32(dtype, stored.data)).toEqual(toFloat32(dtype, fromFloat32(dtype, values)));
      }
    }
    await expect(model.save(folder, { dtype: 'F64' as 'F32' })).rejects.toThrow('save(): dtype is not usable; got "F64"');
    model.dispose();
  }); // prettier-ignore

  it('corrects the older key of the configuration, and adds one where there is none', async () => {
    const older = await loadModel(fixtureBlobs('gpt2', { dtype: undefined, torch_dtype: 'float32' }));
    await older.save(folder, { dtype: 'BF16' });
    expect(await readJson('config.json')).toMatchObject({ torch_dtype: 'bfloat16' });
    expect(await readJson('config.json')).not.toHaveProperty('dtype');
    const none = await loadModel(fixtureBlobs('gpt2', { dtype: undefined }));
    await none.save(folder);
    expect(await readJson('config.json')).toMatchObject({ torch_dtype: 'float32' });
    older.dispose();
    none.dispose();
  });

  it('takes the files of the tokenizer along, from a folder and from Blobs, and no others', async () => {
    const blobs = fixtureBlobs('llama')
      .set('tokenizer.json', new Blob(['{"a":1}']))
      .set('chat_template.jinja', new Blob(['hello']))
      .set('README.md', new Blob(['x']));
    const model = await loadModel(blobs);
    await model.save(folder);
    model.dispose();
    const again = await loadModel(folder);
    await again.save(join(parent, 'again'));
    again.dispose();
    for (const place of ['saved', 'again']) {
      const files = (await readdir(join(parent, place))).sort();
      expect(files).toEqual(['chat_template.jinja', 'config.json', 'model.safetensors', 'tokenizer.json']);
      expect(await readFile(join(parent, place, 'tokenizer.json'), 'utf8')).toBe('{"a":1}');
    }
  });

  it('saves though the folder that it came from is gone', async () => {
    const model = await loadModel(fixtureBlobs('llama'));
    await model.save(folder);
    const copy = await loadModel(folder);
    await rm(folder, { recursive: true });
    await copy.save(folder);
    expect((await readdir(folder)).sort()).toEqual(['config.json', 'model.safetensors']);
    copy.dispose();
    model.dispose();
  });

  it('replaces an older checkpoint, its shards included, and leaves other files', async () => {
    await mkdir(folder);
    for (const file of [
      'model.safetensors.index.json',
      'model-00001-of-00002.safetensors',
      'notes.txt',
      'config.json',
    ]) {
      await writeFile(join(folder, file), 'old');
    }
    const model = await loadModel(fixtureFolder('llama'));
    await model.save(folder);
    expect((await readdir(folder)).sort()).toEqual(['config.json', 'model.safetensors', 'notes.txt']);
    (await loadModel(folder)).dispose();
    model.dispose();
  });

  it('leaves what was there, and nothing else, where it cannot be done', async () => {
    await mkdir(folder);
    await writeFile(join(folder, 'config.json'), 'old');
    const model = await loadModel(fixtureFolder('llama'));
    model.dispose(); // its weights can no longer be read
    await expect(model.save(folder)).rejects.toThrow('disposed');
    expect(await readdir(parent)).toEqual(['saved']);
    expect(await readdir(folder)).toEqual(['config.json']);
    expect(await readFile(join(folder, 'config.json'), 'utf8')).toBe('old');
    await writeFile(join(parent, 'file'), '');
    await expect(model.save(join(parent, 'file', 'x'))).rejects.toThrow('cannot be written');
    await expect(model.save(folder, { dtyp: 'F32' } as object)).rejects.toThrow("does not know the option 'dtyp'");
  });

  it('keeps the types of replaced weights, and unties a head that has its own', async () => {
    const model = await loadModel(fixtureFolder('llama3'));
    const embedding = model.parameters.get('model.embed_tokens.weight')!;
    const untied = model.withParameters(new Map([['lm_head.weight', tf.mul(embedding, 2)]]));
    await untied.save(folder);
    const { tensors } = await weights();
    expect(tensors.get('lm_head.weight')!.dtype).toBe('F32');
    expect(tensors.get('model.embed_tokens.weight')!.dtype).toBe('F16');
    expect(await readJson('config.json')).toEqual({ ...readConfig('llama3'), tie_word_embeddings: false });

    const again = await loadModel(folder);
    const { inputIds } = readGolden('llama3').cases[0]!;
    const [tied, doubled] = [model.forward(inputIds), again.forward(inputIds)];
    const [x, y] = [await tied.data(), await doubled.data()];
    expect(Math.max(...x.map((value, i) => Math.abs(2 * value - y[i]!)))).toBeLessThan(1e-4);
    tf.dispose([tied, doubled]);
    for (const each of [model, untied, again]) each.dispose();
  });
});

describe('createModel', () => {
  const config = {
    ...{ model_type: 'llama', vocab_size: 256, hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, attention_bias: true },
  };
  const deviation = async (tensor: tf.Tensor): Promise<number> => {
    const values = Float32Array.from(await tensor.data());
    return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
  };

  it('draws every weight as transformers does', async () => {
    const model = createModel(config, { seed: 1 });
    for (const [name, tensor] of model.parameters) {
      const values = await tensor.data();
      if (name.endsWith('.bias')) expect(values.every(value => value === 0), name).toBe(true);
      else if (name.includes('norm')) expect(values.every(value => value === 1), name).toBe(true);
      else expect(Math.abs((await deviation(tensor)) / 0.02 - 1), name).toBeLessThan(0.05);
    }
    model.dispose();
  }); // prettier-ignore

  it("makes GPT-2's residual projections smaller", async () => {
    const model = createModel(
      { model_type: 'gpt2', vocab_size: 64, n_embd: 64, n_layer: 8, n_head: 2, n_positions: 64 },
      { seed: 1 },
    );
    const directory = (name: string): Promise<number> => deviation(model.parameters.get(`transformer.${name}.weight`)!);
    expect((await directory('h.3.mlp.c_fc')) / 0.02).toBeCloseTo(1, 1);
    expect((await directory('h.3.attn.c_proj')) / 0.02).toBeCloseTo(1 / 4, 1);
    expect((await directory('h.3.mlp.c_proj')) / 0.02).toBeCloseTo(1 / 4, 1);
    model.dispose();
  });

  it('gives the same weights for the same seed, others for others, and loses none in a tidy', async () => {
    const embedding = 'model.embed_tokens.weight';
    const models: Model[] = [];
    tf.tidy(() => {
      for (const seed of [1, 1, 2]) models.push(createModel(config, { seed }));
    });
    const values = await Promise.all(models.map(model => model.parameters.get(embedding)!.data()));
    expect(values[0]).toEqual(values[1]);
    expect(values[0]).not.toEqual(values[2]);
    for (const model of models) model.dispose();
  });

  it('makes a model that is saved for transformers and loaded again', async () => {
    const model = createModel(config, { seed: 1 });
    await model.save(folder);
    expect(await readJson('config.json')).toEqual({
      architectures: ['LlamaForCausalLM'],
      ...config,
      torch_dtype: 'float32',
    });
    const again = await loadModel(folder);
    const [a, b] = [model.forward([[1, 2, 3]]), again.forward([[1, 2, 3]])];
    expect(await a.data()).toEqual(await b.data());
    tf.dispose([a, b]);
    model.dispose();
    again.dispose();
  });

  it('refuses a configuration and options that are not usable', () => {
    expect(() => createModel({ model_type: 't5' }, { seed: 1 })).toThrow('is not supported; got "t5"');
    expect(() => createModel(config, { seed: 0.5 })).toThrow('createModel(): seed is not usable; got 0.5');
    expect(() => createModel(config, { sed: 1 } as unknown as { seed: number })).toThrow("did you mean 'seed'?");
  });
});
