import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Adapter, Model, NamedArray, PeftFiles } from '@dropbp/core';
import { toyModel } from '@dropbp/testing';
import { combineLora, lora, peftFormat, type CombineLoraOptions, type LoraOptions } from '../src/index.ts';

// Against PEFT itself: test/parity. Here is what must hold whatever PEFT does, and what is refused.

let model: Model;
beforeAll(async () => {
  await tf.setBackend('cpu');
  model = toyModel();
});

/** Files of an adapter whose A and B are random. */
async function filesOf(options: Partial<LoraOptions>): Promise<PeftFiles> {
  const attachment = lora({ rank: 2, targetModules: ['q', 'up'], initialization: false, ...options }).attach(model);
  const files = await attachment.toPeft!();
  attachment.dispose();
  return { ...files, tensors: new Map([...files.tensors].map(([key, { shape, data }]) => [key, { shape, data: data.slice() }])) }; // prettier-ignore
}

/** What an adapter changes of a module's weight. */
async function changeOf(adapter: Adapter, module: string): Promise<number[]> {
  const attachment = adapter.attach(model);
  const merged = attachment.mergedWeights!().get(`${module}.weight`);
  const weight = model.parameters.get(`${module}.weight`)!;
  const change = merged === undefined ? tf.zerosLike(weight) : tf.sub(merged, weight);
  attachment.dispose();
  return Array.from(await change.data());
}

const Q = 'blocks.1.attn.q';
const loaded = (files: PeftFiles): Adapter => peftFormat.fromPeft(files);

async function expectSum(files: readonly PeftFiles[], options: CombineLoraOptions, module = Q): Promise<void> {
  const changes = await Promise.all(files.map(file => changeOf(loaded(file), module)));
  const expected = changes[0]!.map((_, i) => changes.reduce((sum, change, j) => sum + options.weights[j]! * change[i]!, 0)); // prettier-ignore
  const actual = await changeOf(combineLora(files, options), module);
  expected.forEach((value, i) => expect(actual[i], options.combinationType).toBeCloseTo(value, 5));
}

describe('adapters that are put together', () => {
  const kinds = [
    {},
    { rank: 3, alpha: 5, useRslora: true },
    { targetModules: ['q', 'embed'], alphaPattern: { q: 7 }, rankPattern: { q: 1 } },
  ];

  it("are the sum of their changes: by 'cat', and by 'svd' with enough ranks", async () => {
    const files = await Promise.all(kinds.map((kind, i) => filesOf({ ...kind, seed: i })));
    const weights = [0.5, -2, 1.5];
    await expectSum(files, { weights, combinationType: 'cat' });
    await expectSum(files, { weights, combinationType: 'svd', svdRank: 8 });
    await expectSum(files, { weights, combinationType: 'cat' }, 'embed');
    await expectSum(files, { weights, combinationType: 'cat' }, 'blocks.2.mlp.up');
  });

  it('are one with its weight, whatever it is', async () => {
    for (const combinationType of ['svd', 'cat', 'linear'] as const) {
      await expectSum([await filesOf(kinds[1]!)], { weights: [-0.5], combinationType });
    }
  });

  it('are nothing where they cancel out', async () => {
    const files = await filesOf({});
    for (const combinationType of ['linear', 'cat', 'svd'] as const) {
      const change = await changeOf(combineLora([files, files], { weights: [1, -1], combinationType }), Q);
      expect(Math.max(...change.map(Math.abs))).toBeLessThan(1e-6);
    }
  });

  it('keep every entry with density 1, and are nearer to the sum the more they keep', async () => {
    const files = await Promise.all([0, 1].map(seed => filesOf({ seed })));
    const weights = [1, 1];
    const linear = await changeOf(combineLora(files, { weights, combinationType: 'linear' }), Q);
    for (const combinationType of ['magnitude_prune', 'dare_linear'] as const) {
      expect(await changeOf(combineLora(files, { weights, combinationType, density: 1 }), Q)).toEqual(linear);
    }
    const exact = await changeOf(combineLora(files, { weights, combinationType: 'cat' }), Q);
    const error = async (density: number): Promise<number> => {
      const kept = await changeOf(combineLora(files, { weights, combinationType: 'magnitude_prune_svd', svdRank: 8, density }), Q); // prettier-ignore
      return Math.hypot(...kept.map((value, i) => value - exact[i]!));
    };
    expect(await error(1)).toBeLessThan(1e-5);
    expect(await error(0.8)).toBeLessThan(await error(0.3));
  });

  it('draw the same entries for the same seed', async () => {
    const files = await Promise.all([0, 1].map(seed => filesOf({ seed })));
    const drawn = (seed: number): Promise<number[]> =>
      changeOf(combineLora(files, { weights: [1, 1], combinationType: 'dare_ties', density: 0.5, seed }), Q);
    expect(await drawn(1)).toEqual(await drawn(1));
    expect(await drawn(1)).not.toEqual(await drawn(2));
  });

  it('are cut at a quantile', async () => {
    const files = await Promise.all([0, 1].map(seed => filesOf({ seed })));
    const options: CombineLoraOptions = { weights: [1, 1], svdClamp: 0.9 };
    const attachment = combineLora(files, options).attach(model);
    const entries = await Promise.all(['A', 'B'].map(async x => [...(await attachment.parameters.get(`${Q}.lora_${x}.weight`)!.data())])); // prettier-ignore
    const all = entries.flat();
    const limit = Math.max(...all);
    expect(all.filter(value => Math.abs(value) === limit).length).toBeGreaterThan(2);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(-limit);
    attachment.dispose();
  });

  it('take over what one of them trains besides', async () => {
    const plain = await filesOf({});
    const rich = await filesOf({ modulesToSave: ['norm'], trainableTokenIndices: [3], seed: 1 });
    const attachment = combineLora([plain, rich], { weights: [1, 1], combinationType: 'cat' }).attach(model);
    const { config, tensors } = await attachment.toPeft!();
    expect(config).toMatchObject({
      ...{ r: 4, lora_alpha: 4, rank_pattern: {}, alpha_pattern: {}, use_rslora: false, init_lora_weights: true },
      ...{ target_modules: ['q', 'up'], modules_to_save: ['norm'], trainable_token_indices: [3] },
    });
    for (const key of ['norm.weight', 'embed.token_adapter.trainable_tokens_delta']) {
      expect(tensors.get(`base_model.model.${key}`)).toEqual(rich.tensors.get(`base_model.model.${key}`));
    }
    attachment.dispose();
  });

  it('name every module where their rules differ', async () => {
    const files = [await filesOf({ layersToTransform: [0], layersPattern: 'blocks' }), await filesOf({ targetModules: ['up'], seed: 1 })]; // prettier-ignore
    const attachment = combineLora(files, { weights: [1, 1], combinationType: 'cat' }).attach(model);
    const { config } = await attachment.toPeft!();
    expect(config).toMatchObject({
      target_modules: ['blocks.0.attn.q', 'blocks.0.mlp.up', 'blocks.1.mlp.up', 'blocks.2.mlp.up'],
      layers_to_transform: null,
      layers_pattern: null,
    });
    attachment.dispose();
  });
});

describe('is refused', () => {
  const weights = [1, 1];
  const changed = (files: PeftFiles, key: string, array: NamedArray): PeftFiles => ({
    ...files,
    tensors: new Map([...files.tensors, [`base_model.model.${key}`, array]]),
  });

  it('what cannot be put together', async () => {
    const plain = await filesOf({});
    const put =
      (second: PeftFiles, options: Partial<CombineLoraOptions> = {}) =>
      (): unknown =>
        combineLora([plain, second], { weights, ...options });
    expect(put(await filesOf({ rank: 3 }), { combinationType: 'linear' })).toThrow(
      "combinationType 'linear' adds A and B of one rank; got [2,3]; expected adapters of one rank; use 'cat' or 'svd'",
    );
    expect(put(await filesOf({ useDora: true }))).toThrow('an adapter with DoRA cannot be combined with others');
    expect(put(await filesOf({ loraBias: true }))).toThrow('an adapter with a bias of B (loraBias) cannot be combined');
    const pissa = { ...plain, config: { ...plain.config, init_lora_weights: 'pissa' } };
    expect(put(pissa)).toThrow(
      "an adapter made with init_lora_weights 'pissa' cannot be combined with others; load it,",
    );
    const saved = await filesOf({ modulesToSave: ['norm'] });
    const other = changed(saved, 'norm.weight', { shape: [8], data: new Float32Array(8) });
    expect(() => combineLora([saved, other], { weights })).toThrow("two adapters bring 'base_model.model.norm.weight'");
    expect(() => combineLora([saved, saved], { weights })).not.toThrow();
    const wide = changed(plain, `${Q}.lora_A.weight`, { shape: [2, 9], data: new Float32Array(18) });
    expect(put(wide)).toThrow(`the adapters are of different bases: '${Q}' has another size in each`);
  });

  it.each([
    [{ weights: [1] }, 'combineLora(): weights is not usable; got [1]; expected 2 numbers, one for each adapter'],
    [{ weights: [1, NaN] }, 'combineLora(): weights is not usable'],
    [
      { combinationType: 'mean' },
      'combineLora(): combinationType is not usable; got "mean"; expected svd, cat, linear',
    ],
    [{ svdRank: 0 }, 'svdRank is not usable; got 0'],
    [{ svdClamp: 2 }, 'svdClamp is not usable; got 2; expected a number in (0, 1]'],
    [{ combinationType: 'ties' }, 'density is not usable; got undefined; expected a number in (0, 1]; start with'],
    [{ majoritySignMethod: 'most' }, "majoritySignMethod is not usable; got \"most\"; expected 'total' or 'frequency'"],
    [{ seed: 0.5 }, 'seed is not usable'],
    [{ densty: 1 }, "combineLora() does not know the option 'densty'"],
  ])('%j', async (options, text) => {
    const files = await filesOf({});
    expect(() => combineLora([files, files], { weights, ...options } as CombineLoraOptions)).toThrow(text);
  });

  it('a list without adapters', () => {
    expect(() => combineLora([], { weights: [] })).toThrow(
      'the list of adapters is not usable; got []; expected at least one',
    );
  });
});
