import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Adapter, Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { createModel, generate, generateBatch } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { llamaAdapter, prefixTuning, promptTuning, pTuning } from '@dropbp/peft-prefix';
import { compose, loadAdapter, type Tuned } from '../src/index.ts';

const sizes = {
  vocab_size: 24,
  hidden_size: 16,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  initializer_range: 0.5,
};
let model: Model;
let before: number;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = createModel({ model_type: 'llama', ...sizes }, { seed: 3 });
});
afterAll(() => {
  model.dispose();
});
// Every test leaves as many tensors as it found.
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
});

const a = (): Adapter => lora({ rank: 2, targetModules: ['q_proj', 'down_proj'], initialization: false, seed: 1 });
const b = (): Adapter => lora({ rank: 3, targetModules: 'all-linear', initialization: false, seed: 2 });

async function logits(subject: Pick<Model, 'forward'>): Promise<number[]> {
  const result = subject.forward([[1, 2, 3]]);
  const values = Array.from(await result.data());
  result.dispose();
  return values;
}

/** The same logits as with this adapter alone. */
async function alone(adapter: Adapter): Promise<number[]> {
  const tuned = compose(model, adapter);
  const values = await logits(tuned);
  tuned.dispose();
  return values;
}

it.each([false, true])('adapted embeddings and heads take turns in a batch, tied: %s', async tied => {
  const own = createModel({ model_type: 'llama', ...sizes, tie_word_embeddings: tied }, { seed: 3 });
  const make = (seed: number, useDora: boolean): Adapter =>
    lora({ rank: 2, targetModules: ['embed_tokens', 'q_proj', 'lm_head'], initialization: false, seed, useDora });
  const tuned = compose(own, make(1, false));
  tuned.addAdapter('b', make(2, true));
  const rows = [[1, 2, 3], [4, 5], [6, 7, 8, 9]]; // prettier-ignore
  const adapters = ['default', 'b', undefined];
  const together: number[][] = rows.map(() => []);
  for await (const tokens of generateBatch(tuned, rows, { adapters, maxNewTokens: 8, temperature: 0 })) {
    tokens.forEach((token, i) => token !== undefined && together[i]!.push(token));
  }
  for (const [i, adapter] of adapters.entries()) {
    if (adapter !== undefined) tuned.useAdapter(adapter);
    const single: number[] = [];
    const subject = adapter === undefined ? own : tuned;
    for await (const token of generate(subject, rows[i]!, { maxNewTokens: 8, temperature: 0 })) single.push(token);
    expect(together[i]).toEqual(single);
  }
  tuned.dispose();
  own.dispose();
});

describe('several adapters on one model', () => {
  it('are used one at a time, each as if it were alone', async () => {
    const tuned = compose(model, a(), undefined, { adapterName: 'a' });
    const weights = tf.memory().numTensors;
    tuned.addAdapter('b', b());
    expect(tf.memory().numTensors - weights).toBe(2 * 14 + 14); // A, B and a scaling for each layer: nothing of the model
    expect([...tuned.adapters.keys(), tuned.activeAdapter]).toEqual(['a', 'b', 'a']);
    const [ofA, ofB] = [await alone(a()), await alone(b())];
    expect(await logits(tuned)).toEqual(ofA);
    const trained = tuned.trainableCount;
    tuned.useAdapter('b');
    expect(await logits(tuned)).toEqual(ofB);
    expect(tuned.trainableCount).toBeGreaterThan(trained);
    expect([...tuned.parameters.keys()].some(name => name.includes('k_proj'))).toBe(true);
    tuned.useAdapter('a');
    expect(await logits(tuned)).toEqual(ofA);
    tuned.dispose();
    tuned.dispose();
  });

  it('train apart: one step moves the one in use alone, with drops of its own', async () => {
    const tuned = compose(model, a(), dropBP({ rate: 0.5, calibration: false, seed: 3 }));
    tuned.addAdapter('other', a());
    const inputIds = tf.tensor2d([[1, 2, 3, 4]], undefined, 'int32');
    const pass = async (): Promise<string[]> => {
      const { value, gradients } = await tuned.valueAndGradients({ inputIds, labels: inputIds }, { dropped: [false, false, false, false] }); // prettier-ignore
      for (const [name, gradient] of gradients) {
        const moved = tf.sub(tuned.parameters.get(name)!, gradient);
        tuned.parameters.get(name)!.assign(moved);
        moved.dispose();
      }
      tf.dispose([value, ...gradients.values()]);
      return [...gradients.keys()];
    };
    const start = await logits(tuned);
    tuned.useAdapter('other');
    expect(await pass()).toEqual([...tuned.parameters.keys()]);
    expect(await logits(tuned)).not.toEqual(start);
    const schedule = tuned.internal.dropSchedule;
    tuned.useAdapter('default');
    expect(await logits(tuned)).toEqual(start);
    expect(tuned.internal.dropSchedule).not.toBe(schedule);
    tuned.dispose();
    inputIds.dispose();
  });

  it('merge as they are used', async () => {
    const tuned = compose(model, a());
    tuned.addAdapter('b', b());
    tuned.useAdapter('b');
    const merged = tuned.merge();
    const [x, y] = [await logits(merged), await logits(tuned)];
    x.forEach((value, i) => expect(value).toBeCloseTo(y[i]!, 3));
    merged.dispose();
    tuned.dispose();
  });

  it('refuse names that are taken, unknown or not usable, and change nothing then', async () => {
    const tuned = compose(model, a());
    const refused = (run: () => unknown, message: string): void => expect(run).toThrow(`[@dropbp/compose] ${message}`);
    refused(
      () => tuned.addAdapter('default', b()),
      "there is an adapter 'default' already; removeAdapter('default') first",
    );
    refused(
      () => tuned.addAdapter('a.b', b()),
      'the adapter\'s name is not usable; got "a.b"; expected a text without dots',
    );
    for (const name of ['', 'a/b', ' a', '__base__', 'lora']) refused(() => tuned.addAdapter(name, b()), "the adapter's name is not usable"); // prettier-ignore
    refused(() => compose(model, a(), undefined, { adapterName: 'x/y' }), "the adapter's name is not usable");
    expect(() => tuned.addAdapter('c', lora({ targetModules: ['w_proj'] }))).toThrow('targetModules');
    refused(
      () => tuned.useAdapter('defualt'),
      "there is no adapter 'defualt'; expected default; did you mean 'default'?",
    );
    refused(() => tuned.removeAdapter('default'), "the adapter 'default' is in use; useAdapter() another one first");
    expect([...tuned.adapters.keys()]).toEqual(['default']);
    expect(await logits(tuned)).toEqual(await alone(a()));
    tuned.dispose();
  });

  it('go, and others come in their place', async () => {
    const tuned = compose(model, a());
    tuned.addAdapter('b', b());
    const full = tf.memory().numTensors;
    tuned.removeAdapter('b');
    tuned.addAdapter('b', lora({ rank: 3, targetModules: 'all-linear', initialization: false, seed: 9 }));
    expect(tf.memory().numTensors).toBe(full);
    tuned.useAdapter('b');
    expect(await logits(tuned)).not.toEqual(await alone(b()));
    tuned.dispose();
  });
});

describe('withoutAdapter', () => {
  it('gives the plain model, and afterwards the one in use', async () => {
    const tuned = compose(model, a());
    const [base, adapted] = [await logits(model), await logits(tuned)];
    const inputIds = tf.tensor2d([[1, 2, 3, 4]], undefined, 'int32');
    const lossOf = async (): Promise<number> => {
      const { value } = await tuned.loss({ inputIds, labels: inputIds });
      const [loss] = await value.data();
      value.dispose();
      return loss!;
    };
    const loss = await lossOf();
    await tuned.withoutAdapter(async () => {
      expect(await logits(tuned)).toEqual(base);
      expect(tuned.activeAdapter).toBeUndefined();
      expect(await lossOf()).not.toBe(loss);
      expect(tuned.trainableCount).toBe(0);
      await tuned.withoutAdapter(async () => expect(await logits(tuned)).toEqual(base));
      expect(await logits(tuned)).toEqual(base);
      await expect(tuned.valueAndGradients({ inputIds, labels: inputIds })).rejects.toThrow(
        '[@dropbp/compose] valueAndGradients() needs an adapter, and none is in use here; call it outside withoutAdapter()',
      );
      expect(() => tuned.merge()).toThrow('merge() needs an adapter');
    });
    expect(await logits(tuned)).toEqual(adapted);
    expect(tuned.withoutAdapter(() => tuned.trainableCount)).toBe(0);
    const failing = (): never => {
      throw new Error('no');
    };
    expect(() => tuned.withoutAdapter(failing)).toThrow('no');
    await expect(tuned.withoutAdapter(() => Promise.reject(new Error('not')))).rejects.toThrow('not');
    expect(await logits(tuned)).toEqual(adapted);
    tuned.dispose();
    inputIds.dispose();
  });
});

describe('save', () => {
  it('writes each adapter to a folder of its name, and that called default to the folder itself', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'adapters-'));
    const tuned = compose(model, a());
    tuned.addAdapter('b', b());
    tuned.addAdapter('c', ia3());
    await tuned.save(folder);
    expect((await readdir(folder)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'b', 'c']);
    const again = compose(model, await loadAdapter(folder));
    again.addAdapter('b', await loadAdapter(folder, { subfolder: 'b' }));
    expect(await logits(again)).toEqual(await logits(tuned));
    for (const each of [tuned, again]) each.useAdapter('b');
    expect(await logits(again)).toEqual(await logits(tuned));
    const some = join(folder, 'some');
    await tuned.save(some, { adapters: ['c'] });
    expect(await readdir(some)).toEqual(['c']);
    await expect(tuned.save(some, { adapters: ['x'] })).rejects.toThrow("there is no adapter 'x'");
    await expect(tuned.save(some, { adapters: [] })).rejects.toThrow('save() has no adapter to save');
    await expect(tuned.save(some, { adapter: 'c' } as object)).rejects.toThrow("does not know the option 'adapter'");
    tuned.dispose();
    again.dispose();
    await rm(folder, { recursive: true });
  });
});

describe('rows of one batch with an adapter each', () => {
  /** Moves every parameter away from where it starts, so that each adapter shows. */
  function disturb(tuned: Tuned): void {
    for (const variable of tuned.parameters.values()) {
      const moved = tf.tidy(() => tf.add(variable, tf.mul(tf.sin(tf.reshape(tf.range(1, variable.size + 1), variable.shape)), 0.3))); // prettier-ignore
      variable.assign(moved);
      moved.dispose();
    }
  }

  const methods: Readonly<Record<string, Adapter>> = {
    qv: a(),
    all: lora({ rank: 2, targetModules: ['q_proj', 'up_proj', 'lm_head', 'embed_tokens'], initialization: false }),
    dora: lora({ rank: 2, targetModules: ['v_proj', 'down_proj'], useDora: true }),
    factors: ia3(),
    keys: prefixTuning({ numVirtualTokens: 3 }),
    projected: prefixTuning({ numVirtualTokens: 5, prefixProjection: true }),
    tokens: promptTuning({ numVirtualTokens: 2 }),
    network: pTuning({ numVirtualTokens: 4, encoderHiddenSize: 6 }),
    gated: llamaAdapter({ adapterLen: 3, adapterLayers: 1 }),
  };
  const compositions: [string, (string | undefined)[]][] = [
    ['LoRA of two kinds and none', ['qv', undefined, 'all', 'qv']],
    ['all methods', [...Object.keys(methods), undefined]],
    ['LLaMA-Adapter among LoRA', ['gated', 'qv', 'gated', undefined]],
    ['prefixes and prompts of several lengths', ['keys', 'tokens', 'projected', 'network', undefined]],
    ['one for all', ['factors', 'factors']],
  ];

  const architectures = {
    llama: () => createModel({ model_type: 'llama', ...sizes }, { seed: 3 }),
    mistral: () => createModel({ model_type: 'mistral', ...sizes, sliding_window: 6 }, { seed: 3 }),
  };
  it.each(Object.entries(architectures))('go on as each would alone: %s', async (_, create) => {
    const base = create();
    const tuned = compose(base, fullFineTune());
    for (const [name, adapter] of Object.entries(methods)) {
      tuned.addAdapter(name, adapter);
      tuned.useAdapter(name);
      disturb(tuned);
    }
    const text = (row: number): number[] => Array.from({ length: 3 + (row % 3) }, (_, i) => (7 * row + 5 * i + 1) % 24);
    const options = { maxNewTokens: 9, stopTokens: [] };
    for (const [what, adapters] of compositions) {
      const texts = adapters.map((_, row) => text(row));
      const held = tf.memory().numTensors;
      const together = texts.map((): (number | undefined)[] => []);
      for await (const tokens of generateBatch(tuned, texts, { ...options, adapters })) {
        tokens.forEach((token, row) => together[row]!.push(token));
      }
      expect(tf.memory().numTensors, what).toBe(held);
      for (const [row, name] of adapters.entries()) {
        const expected: number[] = [];
        const run = async (): Promise<void> => {
          for await (const token of generate(tuned, texts[row]!, options)) expected.push(token);
        };
        if (name === undefined) await tuned.withoutAdapter(run);
        else {
          tuned.useAdapter(name);
          await run();
        }
        expect(together[row], `${what}, row ${row}: ${name ?? 'none'}`).toEqual(expected);
      }
    }
    tuned.dispose();
    base.dispose();
  });

  it('refuse an adapter that replaces what all rows share, but for rows of its own', async () => {
    const tuned = compose(model, a());
    tuned.addAdapter('full', fullFineTune({ include: ['layers.1.mlp'] }));
    tuned.addAdapter('head', lora({ rank: 2, targetModules: ['q_proj'], modulesToSave: ['lm_head'] }));
    const run = (...adapters: (string | undefined)[]): AsyncIterable<unknown> =>
      generateBatch(tuned, adapters.map(() => [1, 2]), { adapters, maxNewTokens: 2 }); // prettier-ignore
    expect(() => run('default', 'full')).toThrow(
      "[@dropbp/compose] the adapter 'full' cannot share a batch with others: it replaces 'mlp.gate_proj.weight' of the model",
    );
    expect(() => run('head', undefined)).toThrow(
      "the adapter 'head' cannot share a batch with others: it replaces 'lm_head.weight'",
    );
    for await (const tokens of run('full', 'full')) expect(tokens).toHaveLength(2);
    expect(() => run('default', 'nobody')).toThrow("there is no adapter 'nobody'; expected default, full, head");
    tuned.dispose();
  });

  it('compute a layer of the model once for all of them', () => {
    const tuned = compose(model, a());
    tuned.addAdapter('b', b());
    const { together } = tuned.internal.forRows!(['default', 'b', undefined]);
    const seen: string[] = [];
    const p = together.branchScopes[0]!;
    const x = tf.ones([3, 1, 16]);
    const base = (input: tf.Tensor): tf.Tensor => {
      seen.push(String(input.shape));
      return tf.zeros([...input.shape.slice(0, -1), 16]);
    };
    const result = tf.tidy(() => together.hooks.linear!('self_attn.q_proj', x, base, p));
    expect(seen).toEqual(['3,1,16']);
    expect(result.shape).toEqual([3, 1, 16]);
    // The same members give the same hooks: what an engine compiled for them.
    expect(tuned.internal.forRows!(['default', 'b', undefined]).together.hooks).toBe(together.hooks);
    expect(tuned.internal.forRows!(['default', 'default', 'b']).together.hooks).not.toBe(together.hooks);
    tf.dispose([x, result]);
    tuned.dispose();
  });
});
