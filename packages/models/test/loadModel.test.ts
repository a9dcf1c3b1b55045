import * as tf from '@tensorflow/tfjs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Model } from '@dropbp/core';
import { forwardOutputs } from '@dropbp/testing';
import { decodeSafetensors, encodeSafetensors, toFloat32, type TensorData } from '@dropbp/safetensors';
import { findModelFolder, loadModel } from '../src/index.ts';
import { fixtureBlobs, fixtureFolder, readConfig, readGolden } from './fixture.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

type Tensors = Map<string, TensorData>;

async function tensorsOf(name: string): Promise<Tensors> {
  return decodeSafetensors(await fixtureBlobs(name).get('model.safetensors')!.bytes()).tensors;
}

/** Loads a fixture whose tensors, and configuration, are changed first. */
async function loadChanged(
  name: string,
  change: (tensors: Tensors) => Tensors,
  config: Record<string, unknown> = {},
): Promise<Model> {
  const blobs = fixtureBlobs(name, config);
  const bytes = encodeSafetensors(change(await tensorsOf(name)), { metadata: { format: 'pt' } });
  return loadModel(blobs.set('model.safetensors', new Blob([bytes])));
}

function renamed(tensors: Tensors, rename: (name: string) => string): Tensors {
  return new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]));
}

function zeros(...shape: number[]): TensorData {
  return { dtype: 'F32', shape, data: new Uint8Array(4 * shape.reduce((a, b) => a * b, 1)) };
}

async function expectSameLogits(model: Model, name: string): Promise<void> {
  const { inputIds } = readGolden(name).cases[0]!;
  const original = await loadModel(fixtureFolder(name));
  const [a, b] = [forwardOutputs(model, inputIds), forwardOutputs(original, inputIds)];
  expect(await a.data()).toEqual(await b.data());
  tf.dispose([a, b]);
  model.dispose();
  original.dispose();
}

describe('loadModel', () => {
  it('widens every stored weight exactly', async () => {
    for (const [name, dtype] of [['llama', 'BF16'], ['llama3', 'F16'], ['gpt2', 'F32']] as const) {
      const model = await loadModel(fixtureFolder(name));
      const stored = await tensorsOf(name);
      for (const [parameter, tensor] of model.parameters) {
        const { data } = stored.get(parameter)!;
        expect(stored.get(parameter)!.dtype).toBe(dtype);
        expect(await tensor.data(), parameter).toEqual(toFloat32(dtype, data));
      }
      model.dispose();
    }
  }); // prettier-ignore

  it('tells its source and its configuration as it stands in the file', async () => {
    const model = await loadModel(fixtureFolder('qwen3'));
    expect(model.source).toBe(fixtureFolder('qwen3'));
    expect(model.config).toEqual(readConfig('qwen3'));
    expect(model).toMatchObject({ architecture: 'qwen3', hiddenSize: 16, vocabSize: 32, maxPositions: 64 });
    model.dispose();
  });

  it('tells how far it is, and ends when it is told', async () => {
    const seen: [number, number][] = [];
    const model = await loadModel(fixtureFolder('llama'), { onTensor: (done, total) => seen.push([done, total]) });
    const total = model.parameters.size;
    expect(seen).toEqual(Array.from({ length: total }, (_, i) => [i + 1, total]));
    model.dispose();

    const controller = new AbortController();
    const onTensor = (done: number): void => {
      if (done === 3) controller.abort(new Error('enough'));
    };
    const before = tf.memory().numTensors;
    const loading = loadModel(fixtureFolder('llama'), { onTensor, signal: controller.signal });
    await expect(loading).rejects.toThrow('enough');
    expect(tf.memory().numTensors).toBe(before);
  });

  it("reads GPT-2's own checkpoint, without the prefix and with its masks", async () => {
    const model = await loadChanged('gpt2', tensors =>
      renamed(tensors, name => name.replace('transformer.', ''))
        .set('h.0.attn.bias', zeros(1, 1, 8, 8))
        .set('h.1.attn.masked_bias', zeros(1)),
    );
    expect([...model.parameters.keys()][0]).toBe('transformer.wte.weight');
    await expectSameLogits(model, 'gpt2');
  });

  it('reads the checkpoint of a bare model with a tied head, and old buffers', async () => {
    const model = await loadChanged('qwen3', tensors =>
      renamed(tensors, name => name.replace('model.', '')).set('layers.0.self_attn.rotary_emb.inv_freq', zeros(3)),
    );
    await expectSameLogits(model, 'qwen3');
  });

  it('takes a stored copy of a tied head, and no other', async () => {
    const copied = await loadChanged('qwen3', tensors =>
      tensors.set('lm_head.weight', tensors.get('model.embed_tokens.weight')!),
    );
    await expectSameLogits(copied, 'qwen3');
    const other = loadChanged('qwen3', tensors => tensors.set('lm_head.weight', zeros(32, 16)));
    await expect(other).rejects.toThrow(
      'lm_head.weight differs from model.embed_tokens.weight, to which config.json ties it; set "tie_word_embeddings": false',
    );
  });

  it("reads BERT's own checkpoint, with the prefix, older names of norms and the heads of its pre-training", async () => {
    const model = await loadChanged('bert', tensors =>
      renamed(tensors, name => {
        const older = name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta');
        return `bert.${older}`;
      })
        .set('bert.embeddings.position_ids', zeros(1, 40))
        .set('cls.predictions.bias', zeros(32)),
    );
    expect([...model.parameters.keys()][0]).toBe('embeddings.word_embeddings.weight');
    expect(model.parameters.has('pooler.dense.weight')).toBe(true);
    await expectSameLogits(model, 'bert');
  });

  it('reads an encoder without a pooling layer, and remembers that it has none', async () => {
    const model = await loadChanged(
      'bert',
      tensors => new Map([...tensors].filter(([name]) => !name.startsWith('pooler.'))),
    );
    expect(model.config.add_pooling_layer).toBe(false);
    expect([...model.modules.keys()].filter(name => name.startsWith('pooler'))).toEqual([]);
    await expectSameLogits(model, 'bert');
  });

  it('takes F8 weights', async () => {
    const model = await loadChanged('gpt2', tensors => {
      const { shape } = tensors.get('transformer.ln_f.weight')!;
      return tensors.set('transformer.ln_f.weight', { dtype: 'F8_E4M3', shape, data: new Uint8Array(16).fill(0x3c) });
    });
    expect(Array.from(await model.parameters.get('transformer.ln_f.weight')!.data())).toEqual(Array(16).fill(1.5));
    model.dispose();
  });

  describe('refuses', () => {
    const lists: [string, () => Promise<Model>, string][] = [
      [
        'missing tensors, with the list',
        () => loadChanged('llama', tensors => new Map([...tensors].filter(([name]) => !name.includes('down_proj')))),
        'does not fit its config.json; got "missing: model.layers.0.mlp.down_proj.weight, model.layers.0.mlp.down_proj.bias, model.layers.1.mlp.down_proj.weight, model.layers.1.mlp.down_proj.bias"',
      ],
      [
        'unknown tensors, with the list',
        () => loadChanged('llama', tensors => tensors.set('score.weight', zeros(2, 16))),
        'not known: score.weight',
      ],
      [
        'misnamed tensors, with the name that is missing',
        () => loadChanged('llama', tensors => renamed(tensors, name => name.replace('lm_head', 'lm_heat'))),
        'missing: lm_head.weight; not known: lm_heat.weight (for lm_head.weight?)',
      ],
      [
        'misshapen tensors, with both shapes',
        () => loadChanged('llama', tensors => tensors.set('lm_head.weight', zeros(16, 32))),
        'misshapen: lm_head.weight [16,32] in place of [32,16]',
      ],
      [
        'a checkpoint that the configuration does not describe',
        () => loadModel(fixtureBlobs('llama', { attention_bias: false })),
        'not known: model.layers.0.self_attn.k_proj.bias, model.layers.0.self_attn.o_proj.bias',
      ],
      ['types that float32 cannot hold', () => loadChanged('llama', tensors => {
        const { shape } = tensors.get('model.norm.weight')!;
        return tensors.set('model.norm.weight', { dtype: 'F64', shape, data: new Uint8Array(8 * shape[0]!) });
      }), 'F64 does not fit F32 exactly'],
      ['an unknown option', () => loadModel(fixtureFolder('llama'), { revison: 'x' } as object), "does not know the option 'revison'"],
      ['nothing', () => loadModel(undefined as unknown as string), 'loadModel(): the source is not usable; got undefined; expected a path, a hub id, or files'],
      ['the weights alone', () => loadModel(join(fixtureFolder('llama'), 'model.safetensors')), 'give the folder that this file lies in, with its config.json'],
      ['an adapter', () => loadModel(new Map([['adapter_config.json', new Blob()]])), 'this is an adapter: load the model that its adapter_config.json names'],
      ['a folder that is misspelt', () => loadModel(`${fixtureFolder('llama')}x`), `did you mean '${fixtureFolder('llama')}'?`],
      ['what is no folder', () => loadModel('./no/such/folder'), 'there is no such folder; got "./no/such/folder"'],
      ['files without a configuration', () => loadModel(new Map()), 'the files: there is no config.json'],
    ]; // prettier-ignore
    for (const [title, load, message] of lists) {
      it(title, async () => {
        const before = tf.memory().numTensors;
        await expect(load()).rejects.toThrow(message);
        expect(tf.memory().numTensors).toBe(before);
      });
    }

    it('a configuration that is not JSON, or no object', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'dropbp-models-'));
      await writeFile(join(folder, 'config.json'), '{');
      await expect(loadModel(folder)).rejects.toThrow('config.json is not JSON');
      await writeFile(join(folder, 'config.json'), '[]');
      await expect(loadModel(folder)).rejects.toThrow('config.json holds no object');
      await rm(folder, { recursive: true });
    });
  });

  it('loads Files as a browser has them', async () => {
    const files = [...fixtureBlobs('mistral')].map(([name, blob]) => new File([blob], name));
    const model = await loadModel(files);
    expect(model.source).toBe('');
    await expectSameLogits(model, 'mistral');
  });
});

describe('findModelFolder', () => {
  it('gives back a folder that is there', async () => {
    expect(await findModelFolder(fixtureFolder('llama'))).toBe(fixtureFolder('llama'));
    // What looks like an id of the hub may be a folder whose name is misspelt.
    const offline = { offline: true, cacheDirectory: fixtureFolder('none') };
    await expect(findModelFolder('exampels', offline)).rejects.toThrow(
      "there is no folder 'exampels' here either, did you mean 'examples'?",
    );
  });
  const noHub = {
    fetch: () => Promise.reject(new Error('the hub was asked')),
    cacheDirectory: fixtureFolder('none'),
    retry: { attempts: 1 },
  };
  it.each(['models/austin-base', 'models/foo', 'datasets/foo', 'packages/foo', './foo', '../foo/bar', 'a/b/c'])(
    'asks no hub for a path: %s',
    async path => {
      await expect(findModelFolder(path, noHub)).rejects.toThrow(/there is no such folder; got /);
      await expect(loadModel(path, { hub: noHub })).rejects.toThrow(/there is no such folder; got /);
    },
  );
  it('suggests the folder that was meant', async () => {
    await expect(findModelFolder('models/austin-base', noHub)).rejects.toThrow("did you mean 'models/austen-base'?");
  });
  it('takes an id of the hub below a folder of that name from the cache', async () => {
    const cacheDirectory = await mkdtemp(join(tmpdir(), 'dropbp-models-'));
    const commit = 'a'.repeat(40);
    const cached = join(cacheDirectory, 'models--packages--foo');
    await mkdir(join(cached, 'refs'), { recursive: true });
    await writeFile(join(cached, 'refs/main'), commit);
    await cp(fixtureFolder('llama'), join(cached, 'snapshots', commit), { recursive: true });
    const found = await findModelFolder('packages/foo', { offline: true, cacheDirectory });
    expect(found).toBe(join(cached, 'snapshots', commit));
    await rm(cacheDirectory, { recursive: true });
  });
  it('names the functions for a GGUF file, and the folder for another file', async () => {
    const file = fixtureFolder('gguf/quantised.gguf');
    await expect(findModelFolder(file)).rejects.toThrow(
      `${file} is a file; expected the folder of a model, or a hub id; a GGUF file holds a model whole: loadModel('${file}') loads it, and loadTokenizer(ggufTokenizer(await readGguf('${file}'))) its tokenizer.`,
    );
    await expect(findModelFolder('models/foo.gguf', noHub)).rejects.toThrow('there is no file models/foo.gguf.');
    await expect(findModelFolder('package.json', noHub)).rejects.toThrow(
      'package.json is a file; expected the folder of a model, or a hub id; give the folder that it lies in.',
    );
  });
  it('is remembered by adapters so that a folder is not taken for an id', async () => {
    const model = await loadModel('models/austen-base');
    expect(model.source).toBe('./models/austen-base');
    model.dispose();
  });
  it('asks the hub for anything that could be an id', async () => {
    const cacheDirectory = await mkdtemp(join(tmpdir(), 'dropbp-models-'));
    const asked = findModelFolder('someone/some-model', { offline: true, cacheDirectory });
    await expect(asked).rejects.toThrow('someone/some-model');
    await rm(cacheDirectory, { recursive: true });
  });
});
