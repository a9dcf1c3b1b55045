import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { defineModel } from '../src/architectures/architectures.ts';
import { fixtureFolder } from './fixture.ts';

interface Golden {
  readonly positions: number[];
  readonly cases: Readonly<Record<string, { config: Record<string, unknown>; cos: number[][]; sin: number[][] }>>;
}

const golden = JSON.parse(readFileSync(fixtureFolder('rope.json'), 'utf8')) as Golden;

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('positions up to 131,071 are encoded as transformers does it', () => {
  it.each(Object.entries(golden.cases))('%s', async (name, { config, cos, sin }) => {
    const { shared } = defineModel({
      ...{ model_type: 'llama', vocab_size: 8, hidden_size: 64, intermediate_size: 8, num_hidden_layers: 1 },
      ...{ num_attention_heads: 2, max_position_embeddings: 131072, rope_parameters: config },
    });
    // The golden tables of longrope are those of a text that ends at the last position.
    const whole = shared({ batch: 1, time: Math.max(...golden.positions) + 1 });
    for (const [key, expected] of [
      ['cos', cos],
      ['sin', sin],
    ] as const) {
      const rows = tf.tidy(() => tf.slice(tf.gather(whole[key]!, golden.positions), [0, 0], [-1, 16]));
      const values = (await rows.array()) as number[][];
      const worst = Math.max(...values.flatMap((row, i) => row.map((value, j) => Math.abs(value - expected[i]![j]!))));
      expect(worst, `${name} ${key}`).toBeLessThan(1e-5);
      rows.dispose();
    }
    Object.values(whole).forEach(tensor => tensor.dispose());
  });
});
