import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { loadTokenizer } from '@dropbp/data';
import { exportOnnx, type OnnxType } from '@dropbp/export';
import { createModel, generate, loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';

// The part of transformers.js that is used here: it is installed beside the workspace, by install.mjs.
interface TransformersJs {
  readonly env: { localModelPath: string; allowRemoteModels: boolean };
  readonly pipeline: (task: string, model: string, options: object) => Promise<TextGeneration>;
}
type TextGeneration = ((texts: string | string[], options: object) => Promise<unknown>) & {
  readonly dispose: () => Promise<void>;
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const austen = join(root, 'models/austen-base');
const smollm2 = join(root, 'test/.models/smollm2-135m');
const texts = ['It is a truth universally acknowledged, that a single man', 'Emma was'];

let folder: string;
let transformers: TransformersJs;
beforeAll(async () => {
  await tf.setBackend('ort');
  folder = mkdtempSync(join(tmpdir(), 'exports-'));
  const entry = join(
    root,
    '.cache/exports/transformers-js/node_modules/@huggingface/transformers/dist/transformers.node.mjs',
  );
  transformers = (await import(pathToFileURL(entry).href)) as TransformersJs;
  transformers.env.localModelPath = folder;
  transformers.env.allowRemoteModels = false;
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** What transformers.js writes behind a text, greedily. */
async function write(name: string, dtype: OnnxType, given: string[], length: number): Promise<string[]> {
  const generator = await transformers.pipeline('text-generation', name, { dtype, device: 'cpu' });
  try {
    const options = { max_new_tokens: length, do_sample: false, return_full_text: false, repetition_penalty: 1 };
    const answers = (await generator(given, options)) as { generated_text: string }[][];
    return answers.map(([answer]) => answer!.generated_text);
  } finally {
    await generator.dispose();
  }
}

async function writeOurs(
  model: Parameters<typeof generate>[0],
  source: string,
  text: string,
  length: number,
): Promise<string> {
  const tokenizer = await loadTokenizer(source);
  const tokens: number[] = [];
  for await (const token of generate(model, tokenizer.encode(text), { maxNewTokens: length, temperature: 0 })) {
    if (token === tokenizer.eosToken?.id) break;
    tokens.push(token);
  }
  return tokenizer.decode(tokens);
}

const models = [['austen-base', austen], ...(existsSync(smollm2) ? [['SmolLM2-135M', smollm2] as const] : [])] as const;

describe.each(models)('%s in transformers.js', (name, source) => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(source);
    const types: OnnxType[] = name === 'austen-base' ? ['fp32', 'fp16', 'q8', 'q4'] : ['fp32', 'q8'];
    await exportOnnx(model, join(folder, name), { types });
  });
  afterAll(() => {
    model.dispose();
  });

  it('writes our 64 tokens', async () => {
    const [text] = texts as [string];
    expect(await write(name, 'fp32', [text], 64)).toEqual([await writeOurs(model, source, text, 64)]);
  });

  it('writes the same for several texts at once, the shorter padded in front', async () => {
    const ours = [];
    for (const text of texts) ours.push(await writeOurs(model, source, text, 16));
    expect(await write(name, 'fp32', texts, 16)).toEqual(ours);
  });

  it.each(name === 'austen-base' ? (['fp16', 'q8', 'q4'] as const) : (['q8'] as const))(
    'runs the file of %s',
    async dtype => {
      const [text] = texts as [string];
      const [theirs] = await write(name, dtype, [text], 16);
      expect(theirs!.length).toBeGreaterThan(8);
      if (dtype === 'fp16') expect(theirs).toBe(await writeOurs(model, source, text, 16));
    },
  );
});

describe('in transformers.js', () => {
  it('a model with its adapter writes what we write', async () => {
    const model = await loadModel(austen);
    const tuned = compose(model, lora({ rank: 4, targetModules: 'all-linear' }));
    let seed = 1;
    for (const [name, variable] of tuned.parameters) {
      if (name.endsWith('lora_B.weight')) variable.assign(tf.randomNormal(variable.shape, 0, 0.02, 'float32', seed++));
    }
    await exportOnnx(tuned, join(folder, 'tuned'), { types: ['fp32'] });
    expect(await write('tuned', 'fp32', [texts[0]!], 32)).toEqual([await writeOurs(tuned, austen, texts[0]!, 32)]);
    tuned.dispose();
    model.dispose();
  });

  it('weights may lie in a file beside the model', async () => {
    const model = await loadModel(austen);
    await exportOnnx(model, join(folder, 'external'), { types: ['fp32', 'q8'], maxInlineBytes: 1e6 });
    expect(existsSync(join(folder, 'external/onnx/model.onnx_data'))).toBe(true);
    expect(await write('external', 'fp32', [texts[0]!], 16)).toEqual([await writeOurs(model, austen, texts[0]!, 16)]);
    expect((await write('external', 'q8', [texts[0]!], 16))[0]!.length).toBeGreaterThan(8);
    model.dispose();
  });

  const sizes = { vocab_size: 2048, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 4, num_attention_heads: 4, initializer_range: 0.2 }; // prettier-ignore
  it.each<[string, Record<string, unknown>]>([
    ['mistral', { model_type: 'mistral', ...sizes, num_key_value_heads: 2, sliding_window: 8 }],
    ['qwen2', { model_type: 'qwen2', ...sizes, num_key_value_heads: 2 }],
    ['qwen3', { model_type: 'qwen3', ...sizes, num_key_value_heads: 2, head_dim: 32 }],
    ['smollm3', { model_type: 'smollm3', ...sizes, num_key_value_heads: 2 }],
    ['gpt2', { model_type: 'gpt2', vocab_size: 2048, n_embd: 64, n_layer: 2, n_head: 4, initializer_range: 0.2 }],
    ['gpt_neox', { model_type: 'gpt_neox', ...sizes }],
  ])('%s of random weights writes what we write', async (name, config) => {
    const plain = createModel({ ...config, bos_token_id: 0, eos_token_id: 0, pad_token_id: 0 }, { seed: 5 });
    const model: Model = { ...plain, companions: async () => (await loadModel(austen)).companions!() };
    await exportOnnx(model, join(folder, name), { maxPositions: 512 });
    expect(await write(name, 'fp32', [texts[0]!], 12)).toEqual([await writeOurs(model, austen, texts[0]!, 12)]);
    plain.dispose();
  });
});
