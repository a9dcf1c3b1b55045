import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import { compose, type Tuned } from '@dropbp/compose';
import type { Adapter, Batch, Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { prefixTuning, promptTuning } from '@dropbp/peft-prefix';

// A row of several texts must train as each of them alone would.

const models: Readonly<Record<string, string>> = {
  llama: 'q_proj',
  mistral: 'v_proj',
  gpt2: 'c_attn',
  gpt_neox: 'dense',
};
const adapters: Readonly<Record<string, (target: string) => Adapter>> = {
  LoRA: target => lora({ rank: 2, targetModules: [target], initialization: false }),
  'prefix tuning': () => prefixTuning({ numVirtualTokens: 3 }),
  'prompt tuning': () => promptTuning({ numVirtualTokens: 2 }),
};

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../packages/models/test/fixtures/${name}`, import.meta.url));

function texts({ vocabSize }: Model): number[][] {
  const random = seededRandom(23);
  return [5, 3, 2, 6].map(length => Array.from({ length }, () => Math.floor(random() * vocabSize)));
}

const int32 = (rows: number[][]): tf.Tensor => tf.tensor2d(rows, undefined, 'int32');

/** Two rows: three texts and what fills up, and one text with the same. */
function packed(own: readonly (readonly number[])[]): Batch {
  const rows = [own.slice(0, 3), own.slice(3)].map(row => ({
    inputIds: [...row.flat(), ...Array.from({ length: 12 - row.flat().length }, () => 0)],
    labels: [
      ...row.flatMap(text => [-100, ...text.slice(1)]),
      ...Array.from({ length: 12 - row.flat().length }, () => -100),
    ],
    positions: [...row, new Array<number>(12 - row.flat().length).fill(0)].flatMap(text => text.map((_, i) => i)),
  }));
  return {
    inputIds: int32(rows.map(row => row.inputIds)),
    labels: int32(rows.map(row => row.labels)),
    positions: int32(rows.map(row => row.positions)),
  };
}

interface Sums {
  loss: number;
  tokens: number;
  readonly gradients: Map<string, number[]>;
}

/** Loss and gradients of batches, as the sums over their tokens. */
async function sums(tuned: Tuned, batches: readonly Batch[]): Promise<Sums> {
  const result: Sums = { loss: 0, tokens: 0, gradients: new Map() };
  for (const batch of batches) {
    const { value, gradients, tokens } = await tuned.valueAndGradients(batch, { training: false });
    result.loss += (await value.data())[0]! * tokens;
    result.tokens += tokens;
    for (const [name, gradient] of gradients) {
      const values = Array.from(await gradient.data(), v => v * tokens);
      const before = result.gradients.get(name);
      result.gradients.set(name, before === undefined ? values : before.map((v, i) => v + values[i]!));
    }
    tf.dispose([value, ...gradients.values(), ...(Object.values(batch) as tf.Tensor[])]);
  }
  return result;
}

describe.each(['cpu', 'ort'])('rows of several texts on %s', backend => {
  let before: number;
  beforeEach(async () => {
    await tf.setBackend(backend);
    before = tf.memory().numTensors;
  });
  afterEach(() => {
    expect(tf.memory().numTensors).toBe(before);
  });

  describe.each(Object.keys(models))('of %s', name => {
    // Behind virtual tokens, such rows do not fit into the window of four keys.
    const methods = Object.keys(adapters).filter(method => name !== 'mistral' || method === 'LoRA');
    it.each(methods)('train as the texts alone do: %s', async method => {
      const model = await loadModel(fixture(name));
      const tuned = compose(model, adapters[method]!(models[name]!));
      const own = texts(model);
      const alone = await sums(
        tuned,
        own.map(text => ({ inputIds: int32([text]), labels: int32([[-100, ...text.slice(1)]]) })),
      );
      const together = await sums(tuned, [packed(own)]);
      expect(together.tokens).toBe(alone.tokens);
      expect(together.loss).toBeCloseTo(alone.loss, 3);
      expect([...together.gradients.keys()]).toEqual([...alone.gradients.keys()]);
      for (const [path, values] of together.gradients) {
        const wanted = alone.gradients.get(path)!;
        const scale = Math.max(...wanted.map(Math.abs), 1e-3);
        const worst = Math.max(...values.map((value, i) => Math.abs(value - wanted[i]!)));
        expect(worst / scale, path).toBeLessThan(2e-4);
      }
      tuned.dispose();
      model.dispose();
    });
  });

  it('are refused behind virtual tokens where a sliding window is smaller', async () => {
    const model = await loadModel(fixture('mistral'));
    const tuned = compose(model, prefixTuning({ numVirtualTokens: 3 }));
    const batch = packed(texts(model));
    await expect(tuned.loss(batch)).rejects.toThrow(
      'rows of several texts behind virtual tokens are not possible with a sliding window',
    );
    tf.dispose(Object.values(batch) as tf.Tensor[]);
    tuned.dispose();
    model.dispose();
  });

  it('are calibrated on', async () => {
    const model = await loadModel(fixture('llama'));
    const tuned = compose(model, adapters.LoRA!('q_proj'), dropBP({ rate: 0.5 }));
    const batch = packed(texts(model));
    const sensitivities = await tuned.calibrate(batch);
    expect(Math.max(...sensitivities)).toBeGreaterThan(0);
    tf.dispose(Object.values(batch) as tf.Tensor[]);
    tuned.dispose();
    model.dispose();
  });
});
