import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { attachedRunnable, forwardLogits, prepareAdapter, type Attachment, type Model } from '@dropbp/core';
import { toyModel, type ToyModelOptions } from '@dropbp/testing';
import { lora, peftFormat, type LoraOptions } from '../src/index.ts';

// Initialisations that take A and B out of the base: the model starts as it was, and the adapter is saved for the base as it was.

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const starts: [name: string, options: Partial<LoraOptions>][] = [
  ['pissa', { initialization: 'pissa' }],
  ['pissa_niter_4', { initialization: 'pissa_niter_4' }],
  ['olora', { initialization: 'olora' }],
  ['pissa with DoRA', { initialization: 'pissa', useDora: true }],
  [
    'olora with rsLoRA and patterns',
    { initialization: 'olora', useRslora: true, rankPattern: { q: 3 }, alphaPattern: { up: 7 } },
  ],
];

const models: ToyModelOptions[] = [{ layout: 'outIn' }, { layout: 'inOut' }];

describe.each(starts)('%s', (_, options) => {
  it.each(models)('starts as the base, and is saved as an ordinary adapter of it: %j', async toy => {
    const model = toyModel(toy);
    const all = { rank: 2, alpha: 3, targetModules: ['q', 'up', 'embed'], ...options };
    const attachment = (await prepareAdapter(lora(all), model)).attach(model);
    const base = model.forward([[1, 2, 3]]);
    expect(await difference(logitsOf(model, attachment), base)).toBeLessThan(1e-5);

    move(attachment);
    const tuned = logitsOf(model, attachment);
    expect(await difference(tuned, base)).toBeGreaterThan(1e-2);
    const { config, tensors } = await attachment.toPeft!();
    const growth = all.useRslora === true ? Math.SQRT2 : 2;
    expect(config).toMatchObject({
      init_lora_weights: true,
      r: 4,
      lora_alpha: 3 * growth,
      rank_pattern: all.rankPattern === undefined ? {} : { q: 6 },
      alpha_pattern: all.alphaPattern === undefined ? {} : { up: 7 * growth },
    });
    const again = peftFormat.fromPeft({ config, tensors }).attach(model);
    expect(await difference(logitsOf(model, again), tuned)).toBeLessThan(1e-5);
    const merged = model.withParameters(attachment.mergedWeights!());
    expect(await difference(merged.forward([[1, 2, 3]]), tuned)).toBeLessThan(1e-5);
    attachment.dispose();
    again.dispose();
  });
});

it('PiSSA takes the best approximation of its rank out of the weight', async () => {
  const model = toyModel();
  const options: LoraOptions = { rank: 3, alpha: 5, targetModules: ['mlp.down'] };
  const taken = (await prepareAdapter(lora({ ...options, initialization: 'pissa' }), model)).attach(model);
  const nearly = (await prepareAdapter(lora({ ...options, initialization: 'pissa_niter_8' }), model)).attach(model);
  const module = 'blocks.0.mlp.down';
  const weight = model.parameters.get(`${module}.weight`)!;
  const distance = async (b: tf.Tensor, a: tf.Tensor): Promise<number> =>
    (await tf.norm(tf.sub(weight, tf.mul(tf.matMul(b, a), 5 / 3))).data())[0]!;
  const matricesOf = ({ parameters }: Attachment): [tf.Tensor, tf.Tensor] => [
    parameters.get(`${module}.lora_B.weight`)!,
    parameters.get(`${module}.lora_A.weight`)!,
  ];
  const [b, a] = matricesOf(taken);
  const best = await distance(b, a);
  expect(await distance(...matricesOf(nearly))).toBeCloseTo(best, 4);
  // No other product of such matrices is nearer.
  const random = seededRandom(4);
  for (let i = 0; i < 5; i++) {
    const other = [b, a].map(matrix => tf.add(matrix, noise(matrix.shape[0], matrix.shape[1]!, random)));
    expect(await distance(other[0]!, other[1]!)).toBeGreaterThan(best);
  }
});

it('a file that PEFT did not convert is decomposed anew', async () => {
  const model = toyModel();
  const options: LoraOptions = { rank: 2, alpha: 3, targetModules: ['q'], initialization: 'pissa' };
  const attachment = (await prepareAdapter(lora(options), model)).attach(model);
  move(attachment);
  // As PEFT saves it: A and B alone, and how they started.
  const tensors = new Map(
    [...attachment.parameters].map(([name, p]) => [
      `base_model.model.${name}`,
      { shape: p.shape, data: p.dataSync() as Float32Array },
    ]),
  );
  const config = { peft_type: 'LORA', r: 2, lora_alpha: 3, target_modules: ['q'], init_lora_weights: 'pissa' };
  const loaded = peftFormat.fromPeft({ config, tensors });
  expect(() => loaded.attach(model)).toThrow('starts from the weights of the model, which are not read yet');
  const again = (await prepareAdapter(loaded, model)).attach(model);
  expect(await difference(logitsOf(model, again), logitsOf(model, attachment))).toBeLessThan(1e-6);
  await expect(prepareAdapter(peftFormat.fromPeft({ config: { ...config, init_lora_weights: 'olora' }, tensors }), toyModel({ layout: 'inOut' }))).rejects.toThrow("'blocks.0.attn.q' is a Conv1D: PEFT takes its A and B from the transposed weight"); // prettier-ignore
});

it('refuses another model than the prepared one, and a rank above that of the weight', async () => {
  const model = toyModel();
  const adapter = lora({ targetModules: ['q'], initialization: 'pissa' });
  const ready = await prepareAdapter(adapter, model);
  expect(() => ready.attach(toyModel())).toThrow('the adapter was prepared for another model than it is attached to');
  await expect(prepareAdapter(lora({ rank: 9, targetModules: ['q'], initialization: 'olora' }), model)).rejects.toThrow(
    "initialization 'olora': the weight of 'blocks.0.attn.q' has fewer directions than the rank; got 9; expected at most 8",
  );
});

function logitsOf(model: Model, attachment: Attachment): tf.Tensor {
  return forwardLogits(attachedRunnable(model, attachment), [[1, 2, 3]]);
}

async function difference(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  const [x, y] = [(await a.data()) as Float32Array, await b.data()];
  return x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i]!)), 0);
}

function move({ parameters }: Attachment): void {
  const random = seededRandom(6);
  for (const variable of parameters.values()) variable.assign(tf.add(variable, noise(variable.shape[0], variable.shape[1] ?? 0, random))); // prettier-ignore
}

function noise(rows: number, columns: number, random: ReturnType<typeof seededRandom>): tf.Tensor {
  const shape = columns === 0 ? [rows] : [rows, columns];
  return tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => random.normal() * 0.1), shape); // prettier-ignore
}
