import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, expect, it } from 'vitest';
import { activeEngine, prepareAdapter, type Adapter, type Model } from '@dropbp/core';
import { fullFineTune } from '@dropbp/peft-full';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { llamaAdapter, prefixTuning, promptTuning, pTuning } from '@dropbp/peft-prefix';
import { toyBatch, toyModel } from '@dropbp/testing';
import { compose, type Tuned } from '../src/index.ts';

// An engine compiles a branch once for all layers of equal structure. Whatever differs between layers must come in as an
// input: other ranks, alphas and masks in each layer show whether it does.

/** Between float32 of two backends: of 1, or of the largest value if that is more. What a GPU computes may be rounded more. */
const TOLERANCE = process.env.DROPBP_ORT_DEVICE === 'node-webgpu' ? 1e-4 : 2e-5;

const adapters: Readonly<Record<string, () => Adapter>> = {
  'LoRA in all layers but the output, before one that adapts it': () =>
    lora({ rank: 2, dropout: 0.3, targetModules: ['q', 'down'], initialization: false }),
  'LoRA with ranks and alphas of their own in every layer, and dropout': () =>
    lora({
      rank: 2,
      dropout: 0.3,
      targetModules: ['q', 'down', 'head'],
      rankPattern: { 'blocks.1.*': 3, head: 1 },
      alphaPattern: { 'blocks.1.attn.q': 7, 'blocks.2.*': 9 },
      initialization: false,
    }),
  'LoRA in some layers': () =>
    lora({ rank: 2, targetModules: ['blocks.0.attn.v', 'blocks.2.mlp.up'], initialization: false }),
  'DoRA with ranks of their own in every layer, on embedding and output too, and dropout': () =>
    lora({
      rank: 2,
      dropout: 0.2,
      targetModules: ['q', 'down', 'head', 'embed'],
      rankPattern: { 'blocks.1.*': 3 },
      alphaPattern: { 'blocks.2.*': 9 },
      useDora: true,
    }),
  'LoRA from PiSSA': () => lora({ rank: 2, targetModules: ['o', 'up'], initialization: 'pissa' }),
  'LoRA with modules and tokens that are trained along': () =>
    lora({
      rank: 2,
      targetModules: ['v'],
      modulesToSave: ['norm', 'blocks.1.mlp'],
      trainableTokenIndices: { embed: [3, 1], head: [0, 3, 12] },
    }),
  'full fine-tuning': () => fullFineTune(),
  'IA³ on inputs and outputs': () => ia3({ targetModules: ['v', 'down', 'head'], feedforwardModules: ['down'] }),
  'prompt tuning': () => promptTuning({ numVirtualTokens: 3 }),
  'P-tuning with an MLP': () => pTuning({ numVirtualTokens: 3, encoderHiddenSize: 4 }),
  'P-tuning with an LSTM and dropout': () =>
    pTuning({ numVirtualTokens: 3, encoderReparameterizationType: 'LSTM', encoderHiddenSize: 4, encoderDropout: 0.3 }),
  'prefix tuning': () => prefixTuning({ numVirtualTokens: 3 }),
  'prefix tuning with a network': () =>
    prefixTuning({ numVirtualTokens: 3, prefixProjection: true, encoderHiddenSize: 4 }),
  'LLaMA-Adapter in the upper layers': () => llamaAdapter({ adapterLen: 3, adapterLayers: 2 }),
};

/** Moves every parameter away from where it starts, where gradients may be 0. */
function disturb(tuned: Tuned): void {
  for (const variable of tuned.parameters.values()) {
    const noise = tf.tidy(() => tf.mul(tf.sin(tf.reshape(tf.range(1, variable.size + 1), variable.shape)), 0.1));
    const moved = tf.add(variable, noise);
    variable.assign(moved);
    tf.dispose([noise, moved]);
  }
}

/** Losses, gradients, sensitivities and logits, by what they are. */
async function resultsOn(backend: string, create: () => Adapter, model: () => Model): Promise<Map<string, number[]>> {
  await tf.setBackend(backend);
  const [base, batch] = [model(), toyBatch()];
  const tuned = compose(base, await prepareAdapter(create(), base));
  disturb(tuned);
  const before = tf.memory().numTensors;
  const results = new Map<string, number[]>();
  for (const code of ['000000', '101001', '110110', '111111']) {
    for (const step of [0, 1]) {
      const dropped = Array.from(code, digit => digit === '1');
      const { value, gradients } = await tuned.valueAndGradients(batch, { step, dropped });
      results.set(`loss, dropping ${code}, step ${step}`, Array.from(await value.data()));
      for (const [name, gradient] of gradients) {
        results.set(`${name}, dropping ${code}, step ${step}`, Array.from(await gradient.data()));
      }
      tf.dispose([value, ...gradients.values()]);
    }
  }
  results.set('sensitivities', [...(await tuned.calibrate(batch))]);
  const merged = canMerge(tuned) ? tuned.merge() : undefined;
  for (const [name, of] of Object.entries({ tuned, ...(merged && { merged }) })) {
    const logits = of.forward([[1, 2, 3]]);
    results.set(`logits, ${name}`, Array.from(await logits.data()));
    logits.dispose();
  }
  merged?.dispose();
  expect(tf.memory().numTensors).toBe(before);
  tuned.dispose();
  base.dispose();
  tf.dispose([batch.inputIds, batch.labels]);
  return results;
}

/** Whether the method changes weights alone, and neither puts anything in front nor looks at tokens of its own. */
function canMerge({ internal: { hooks, virtualTokens, virtualKeys } }: Tuned): boolean {
  return (virtualTokens ?? virtualKeys) === undefined && hooks.attention === undefined;
}

afterAll(async () => {
  await tf.setBackend('cpu');
});

const withJoins = ['full fine-tuning', 'LoRA in some layers', 'prefix tuning'].map((name): [string, () => Adapter, () => Model] => [
  `${name}, norms behind the branches`,
  adapters[name]!,
  () => toyModel({ isPostNorm: true }),
]); // prettier-ignore

it.each([
  ...Object.entries(adapters).map((entry): [string, () => Adapter, () => Model] => [...entry, toyModel]),
  ...withJoins,
])('on ONNX Runtime is as on the cpu backend: %s', async (_, create, model) => {
  const expected = await resultsOn('cpu', create, model);
  expect(activeEngine()).toBeUndefined();
  const actual = await resultsOn('ort', create, model);
  expect(activeEngine()).toBeDefined();
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [what, values] of expected) {
    const worst = Math.max(...values.map((value, i) => Math.abs(value - actual.get(what)![i]!)));
    expect(worst / Math.max(1, ...values.map(Math.abs)), what).toBeLessThan(TOLERANCE);
  }
});
