import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Adapter, AdapterFormat, Model } from '@dropbp/core';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { decodeSafetensors, encodeSafetensors, fromFloat32, toFloat32 } from '@dropbp/safetensors';
import { toyModel } from '@dropbp/testing';
import { compose, checkAdapterConfig, loadAdapter, unmerge, type Tuned } from '../src/index.ts';

const tokens = [[1, 2, 3, 4]];
let model: Model;
let scratch: string;
let folders = 0;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
  scratch = await mkdtemp(join(tmpdir(), 'compose-'));
});
afterAll(async () => {
  model.dispose();
  await rm(scratch, { recursive: true });
});

const adapter = (): Adapter => lora({ rank: 2, alpha: 5, targetModules: ['q', 'v'], initialization: false });

async function newFolder(files: Record<string, string | Uint8Array> = {}): Promise<string> {
  const folder = join(scratch, `folder-${folders++}`);
  await mkdir(folder);
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

async function saved(): Promise<string> {
  const folder = await newFolder();
  const tuned = compose(model, adapter());
  await tuned.save(folder);
  tuned.dispose();
  return folder;
}

async function logits(subject: Tuned | Model): Promise<Float32Array> {
  const result = subject.forward(tokens);
  const values = Float32Array.from(await result.data());
  result.dispose();
  return values;
}

function fill(tuned: Tuned, name: string, value: number): void {
  const variable = tuned.parameters.get(name)!;
  const tensor = tf.fill(variable.shape, value);
  variable.assign(tensor);
  tensor.dispose();
}

describe('save', () => {
  it('writes two files that give the same adapter back, into a folder that it makes', async () => {
    const folder = join(await newFolder(), 'deep', 'adapter');
    const tuned = compose(model, adapter());
    const expected = await logits(tuned);
    await tuned.save(folder);
    expect((await readdir(folder)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    const again = compose(model, await loadAdapter(folder));
    expect(await logits(again)).toEqual(expected);
    for (const [name, variable] of tuned.parameters) {
      expect(await again.parameters.get(name)!.data()).toEqual(await variable.data());
    }
    again.dispose();
    tuned.dispose();
  });

  it('writes the same bytes each time, over what was there', async () => {
    const folder = await saved();
    const read = async (): Promise<Buffer[]> =>
      Promise.all(['adapter_config.json', 'adapter_model.safetensors'].map(name => readFile(join(folder, name))));
    const first = await read();
    const tuned = compose(model, adapter());
    await tuned.save(folder);
    tuned.dispose();
    expect(await read()).toEqual(first);
    expect(await readdir(folder)).toHaveLength(2);
  });

  it('gives the same bytes without a folder', async () => {
    const folder = await saved();
    const tuned = compose(model, adapter());
    const files = await tuned.toFiles();
    expect([...files.keys()].sort()).toEqual(await readdir(folder));
    for (const [name, bytes] of files) expect(Buffer.from(bytes)).toEqual(await readFile(join(folder, name)));
    tuned.dispose();
  });

  it('has no files of an adapter where there is none', async () => {
    const tuned = compose(model, fullFineTune());
    await expect(tuned.toFiles()).rejects.toThrow(
      /^\[@dropbp\/compose\] '[^']+' trains the model's own weights, so there are no files of an adapter; save\(\) writes the whole model to a folder, in Node\.$/,
    );
    tuned.dispose();
  });

  it('refuses NaN and leaves the folder as it was', async () => {
    const folder = await saved();
    const before = await readFile(join(folder, 'adapter_model.safetensors'));
    const tuned = compose(model, adapter());
    fill(tuned, 'blocks.1.attn.v.lora_B.weight', NaN);
    await expect(tuned.save(folder)).rejects.toThrow(
      "[@dropbp/peft-lora] 'blocks.1.attn.v.lora_B.weight' is not saved: 16 of its 16 values are NaN or infinite; training diverged",
    );
    expect(await readFile(join(folder, 'adapter_model.safetensors'))).toEqual(before);
    tuned.dispose();
  });

  it('says what stands in the way of the folder', async () => {
    const folder = await newFolder({ file: 'x' });
    const tuned = compose(model, adapter());
    await expect(tuned.save(join(folder, 'file'))).rejects.toThrow(
      `[@dropbp/compose] ${join(folder, 'file')} cannot be written`,
    );
    tuned.dispose();
  });

  it('writes the model itself after full fine-tuning', async () => {
    const folder = await newFolder();
    const before = tf.memory().numTensors;
    const tuned = compose(model, fullFineTune());
    fill(tuned, 'norm.weight', 0.5);
    await tuned.save(folder);
    const weights = JSON.parse(await readFile(join(folder, 'toy.json'), 'utf8')) as Record<string, number[]>;
    expect(Object.keys(weights).sort()).toEqual([...model.parameters.keys()].sort());
    expect(weights['norm.weight']).toEqual(new Array(8).fill(0.5));
    expect(weights['embed.weight']).toEqual(Array.from(await model.parameters.get('embed.weight')!.data()));
    fill(tuned, 'norm.weight', Infinity);
    await expect(tuned.save(folder)).rejects.toThrow(
      "[@dropbp/compose] the merged weight 'norm.weight' is not saved: 8 of its 8 values are NaN or infinite",
    );
    tuned.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('merge', () => {
  it('gives a model that stands alone', async () => {
    const before = tf.memory().numTensors;
    const tuned = compose(model, adapter());
    const expected = await logits(tuned);
    const merged = tuned.merge();
    tuned.dispose();
    const actual = await logits(merged);
    expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 5));
    expect(merged.parameters.size).toBe(model.parameters.size);
    merged.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect((await logits(model)).length).toBe(52);
  });

  it('unties an output layer that was adapted', async () => {
    const tied = toyModel({ isTied: true });
    const tuned = compose(tied, lora({ rank: 2, targetModules: ['head'], initialization: false }));
    const merged = tuned.merge();
    expect(merged.parameters.has('head.weight')).toBe(true);
    expect(await merged.parameters.get('embed.weight')!.data()).toEqual(await tied.parameters.get('embed.weight')!.data()); // prettier-ignore
    const [actual, expected] = [await logits(merged), await logits(tuned)];
    expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 5));
    merged.dispose();
    tuned.dispose();
    tied.dispose();
  });

  it('saves no model with weights that are not finite', async () => {
    const tuned = compose(model, adapter());
    fill(tuned, 'blocks.0.attn.q.lora_A.weight', Infinity);
    const merged = tuned.merge();
    await expect(merged.save(await newFolder())).rejects.toThrow(
      "the merged weight 'blocks.0.attn.q.weight' is not saved",
    );
    merged.dispose();
    tuned.dispose();
  });

  it('looks at every weight first where asked to, and leaves nothing behind', async () => {
    const tuned = compose(model, adapter());
    const merged = await tuned.safeMerge();
    const [actual, expected] = [await logits(merged), await logits(tuned)];
    expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 5));
    merged.dispose();
    fill(tuned, 'blocks.0.attn.q.lora_A.weight', NaN);
    const before = tf.memory().numTensors;
    await expect(tuned.safeMerge()).rejects.toThrow(
      "the merged weight 'blocks.0.attn.q.weight' is not used: 64 of its 64",
    );
    expect(tf.memory().numTensors).toBe(before);
    tuned.dispose();
  });

  it.each([{}, { layout: 'inOut', isTied: true }] as const)('can be undone from the merged model: %j', async toy => {
    const base = toyModel(toy);
    const create = (): Adapter => lora({ rank: 2, targetModules: ['q', 'up', 'embed'], initialization: false });
    const tuned = compose(base, create());
    const merged = tuned.merge();
    const again = unmerge(merged, create());
    const [actual, expected] = [await logits(again), await logits(base)];
    expected.forEach((value, i) => expect(actual[i]).toBeCloseTo(value, 5));
    for (const [options, text] of [
      [{ useDora: true }, 'with DoRA, the lengths of its weights are in no file'],
      [{ trainableTokenIndices: [1] }, 'biases, modules or tokens were trained in place of its own'],
    ] as const) {
      expect(() => unmerge(merged, lora({ targetModules: ['q'], ...options }))).toThrow(
        `[@dropbp/peft-lora] the base cannot be known from the merged model: ${text}; load the base itself.`,
      );
    }
    expect(() => unmerge(merged, fullFineTune())).toThrow(
      "[@dropbp/compose] 'full fine-tuning' cannot be taken out of merged weights; load the base itself.",
    );
    for (const each of [tuned, merged, again, base]) each.dispose();
  });

  it('names an adapter that cannot be merged', () => {
    const plain = adapter();
    const unmergeable: Adapter = {
      name: 'soft prompt',
      attach(target) {
        const attachment = plain.attach(target);
        delete attachment.mergedWeights;
        return attachment;
      },
    };
    const tuned = compose(model, unmergeable);
    expect(() => tuned.merge()).toThrow(
      "[@dropbp/compose] 'soft prompt' cannot be merged into the weights of a model; save the adapter and load it together with the model.",
    );
    tuned.dispose();
  });
});

describe('loadAdapter', () => {
  const refused = (source: Parameters<typeof loadAdapter>[0], text: string): Promise<void> =>
    expect(loadAdapter(source)).rejects.toThrow(text);

  it('reads files where there is no file system, half precision too', async () => {
    const folder = await saved();
    const config = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as Record<string, unknown>;
    const bytes = await readFile(join(folder, 'adapter_model.safetensors'));
    const { tensors } = decodeSafetensors(bytes);
    const half = new Map(
      [...tensors].map(([name, { shape, data }]) => {
        return [name, { dtype: 'BF16' as const, shape, data: fromFloat32('BF16', toFloat32('F32', data)) }];
      }),
    );
    const full = compose(model, await loadAdapter({ config, weights: new Blob([bytes]) }));
    const rounded = compose(model, await loadAdapter({ config, weights: new Blob([encodeSafetensors(half)]) }));
    const [a, b] = [await logits(full), await logits(rounded)];
    expect(a).not.toEqual(b);
    a.forEach((value, i) => expect(Math.abs(b[i]! - value)).toBeLessThan(0.05));
    full.dispose();
    rounded.dispose();
  });

  it('looks through the given formats first', async () => {
    const mine: AdapterFormat = { peftType: 'MINE', fromPeft: () => adapter() };
    const weights = new Blob([encodeSafetensors({})]);
    expect((await loadAdapter({ config: { peft_type: 'MINE' }, weights }, { formats: [mine] })).name).toBe('lora');
    await expect(loadAdapter({ config: { peft_type: 'MINI' }, weights }, { formats: [mine] })).rejects.toThrow(
      "[@dropbp/compose] adapters of the method 'MINI' are not supported; expected one of the methods MINE, LORA, IA3, PREFIX_TUNING, PROMPT_TUNING, P_TUNING, ADAPTION_PROMPT; merge it into its base with PEFT, if the method allows that, and load the merged model.",
    );
    await expect(loadAdapter('x', { format: [] } as object)).rejects.toThrow("does not know the option 'format'");
  });

  it('takes no method of PEFT for another, and knows other ways to write one', async () => {
    const weights = new Blob([encodeSafetensors({})]);
    for (const method of ['VERA', 'XLORA', 'ADALORA', 'VBLORA', 'LOHA', 'CPT', 'MULTITASK_PROMPT_TUNING', 'OFT']) {
      const refusal = expect(loadAdapter({ config: { peft_type: method }, weights })).rejects;
      await refusal.toThrow(`the method '${method}' are not supported; expected one of the methods LORA, IA3`);
      await expect(checkAdapterConfig({ peft_type: method })).rejects.not.toThrow('did you mean');
    }
    await expect(loadAdapter({ config: { peft_type: 'prefix-tuning' }, weights })).rejects.toThrow('did you mean PREFIX_TUNING?'); // prettier-ignore
  });

  it('says what is wrong with a folder', async () => {
    const missing = join(scratch, 'missing');
    await refused(
      missing,
      `[@dropbp/hub] there is no such folder; got "${missing}"; expected the folder of an adapter, or a hub id such as 'someone/adapter'`,
    );
    const folder = await saved();
    const file = join(folder, 'adapter_model.safetensors');
    await refused(file, `[@dropbp/compose] ${file} is a file; expected the folder with adapter_config.json`);
    const run = await newFolder({ 'run.json': '{}' });
    await mkdir(join(run, 'adapter'));
    await refused(run, `adapter_config.json is missing; give ${join(run, 'adapter')}`);
    await refused(await newFolder(), 'holds no adapter: adapter_config.json is missing; give the folder that save()');
    await refused(await newFolder({ 'config.json': '{}' }), 'it is a model, which loadModel() loads');
    const config = '{"peft_type": "LORA", "target_modules": ["q"]}';
    await refused(await newFolder({ 'adapter_config.json': config }), 'adapter_model.safetensors is missing');
    await refused(
      await newFolder({ 'adapter_config.json': config, 'adapter_model.bin': 'x' }),
      'adapter_model.bin is a pickle, which can run code: load it with PEFT and save_pretrained() it again',
    );
    const weights = { 'adapter_model.safetensors': encodeSafetensors({}) };
    await refused(
      await newFolder({ 'adapter_config.json': Buffer.from('{"\u0080":1}', 'latin1'), ...weights }),
      'is not UTF-8',
    );
    await refused(await newFolder({ 'adapter_config.json': '{', ...weights }), 'is no JSON; got "{"');
    await refused(await newFolder({ 'adapter_config.json': '[]', ...weights }), 'is no object; got []');
    await refused(await newFolder({ 'adapter_config.json': '{}', ...weights }), "expected a peft_type such as 'LORA'");
    await refused(
      await newFolder({ 'adapter_config.json': '{"peft_type": "VERA"}', ...weights }),
      "adapters of the method 'VERA' are not supported; expected one of the methods LORA, IA3, PREFIX_TUNING, PROMPT_TUNING, P_TUNING, ADAPTION_PROMPT; merge it",
    );
    await refused(await newFolder({ 'adapter_config.json': config, ...weights }), 'the adapter file holds no tensors');
    await refused(
      await newFolder({ 'adapter_config.json': config, 'adapter_model.safetensors': 'short' }),
      '[@dropbp/safetensors]',
    );
  });
});
