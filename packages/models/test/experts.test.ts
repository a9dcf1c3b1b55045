import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, fromFloat32 } from '@dropbp/safetensors';
import { createModel, loadModel } from '../src/index.ts';
import { fixtureBlobs, fixtureFolder, readConfig } from './fixture.ts';

const mixtures = ['mixtral', 'qwen3_moe', 'granitemoe'];
const folder = mkdtempSync(join(tmpdir(), 'experts-'));

beforeAll(() => tf.setBackend('cpu'));
afterAll(() => rmSync(folder, { recursive: true }));

const stored = (path: string): ReturnType<typeof decodeSafetensors> =>
  decodeSafetensors(new Uint8Array(readFileSync(join(path, 'model.safetensors'))));

describe('a mixture of experts', () => {
  it.each(mixtures)('is written as transformers wrote it: %s', async name => {
    const model = await loadModel(fixtureFolder(name));
    await model.save(join(folder, name));
    model.dispose();
    const [ours, theirs] = [stored(join(folder, name)), stored(fixtureFolder(name))];
    expect([...ours.tensors.keys()].sort()).toEqual([...theirs.tensors.keys()].sort());
    for (const [tensor, { shape, dtype, data }] of theirs.tensors) {
      expect(ours.tensors.get(tensor), tensor).toMatchObject({ shape, dtype, data });
    }
  });

  it.each(mixtures)('is read where each weight is whole: %s', async name => {
    const model = await loadModel(fixtureFolder(name));
    const whole = new Map(
      await Promise.all(
        [...model.parameters].map(async ([parameter, tensor]) => {
          const data = fromFloat32('F32', (await tensor.data()) as Float32Array);
          return [parameter, { dtype: 'F32' as const, shape: tensor.shape, data }] as const;
        }),
      ),
    );
    const again = await loadModel(
      new Map([
        ['config.json', new Blob([JSON.stringify(readConfig(name))])],
        ['model.safetensors', new Blob([new Uint8Array(encodeSafetensors(whole))])],
      ]),
    );
    for (const [parameter, tensor] of model.parameters) {
      expect(await again.parameters.get(parameter)!.data(), parameter).toEqual(await tensor.data());
    }
    model.dispose();
    again.dispose();
  });

  it.each([
    [{ num_local_experts: 5 }, 'experts.gate_up_proj'],
    [{ num_local_experts: 3 }, 'not known: model.layers.0.block_sparse_moe.experts.3.w1.weight'],
    [{ num_local_experts: 1e6 }, 'at most 32: the checkpoint has'],
    [{ num_experts_per_tok: 5 }, 'num_experts_per_tok is not usable; got 5; expected at most the 4 experts'],
    [{ output_router_logits: true }, 'it adds a loss that balances the experts'],
  ])('is refused with %j', async (changes, text) => {
    await expect(loadModel(fixtureBlobs('mixtral', changes))).rejects.toThrow(text);
  });

  it('refuses layers without experts that are no list', () => {
    const config = { ...readConfig('qwen3_moe'), mlp_only_layers: 'all' };
    expect(() => createModel(config, { seed: 1 })).toThrow('mlp_only_layers is not usable; got "all"');
  });
});
