import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeAsync, loadAdapter, type Tuned } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { loadModel } from '@dropbp/models';
import { leaveForPython } from './compare.ts';
import { modelsFolder, worstDifference } from './reference.ts';

/** What adapter_cases.py wrote of one model. */
interface AdaptersReference {
  readonly tokens: number[][];
  readonly cases: readonly {
    readonly name: string;
    readonly options: Readonly<Record<string, unknown>>;
    readonly dtype: string;
    readonly logits: number[];
  }[];
}

const adaptersFolder = fileURLToPath(new URL('../.cache/adapters', import.meta.url));
const models = existsSync(adaptersFolder) ? readdirSync(adaptersFolder) : [];

/** Of a logit, absolute. */
const LOADED = 1e-4;
/** A and B are taken out of the base anew: two singular value decompositions in float32. */
const PISSA = 5e-4;

/** What loading says of the cases that PEFT can do and we cannot. */
const refusals =
  /modules_to_save is not supported|ensureWeightTying: an adapter that|is trained in two ways|is a Conv1D: PEFT|PEFT changes both/;

beforeAll(async () => {
  await tf.setBackend('ort');
});

it('has adapters to compare with', () => {
  expect(models.length, 'run: bash test/parity/make.sh').toBeGreaterThan(0);
});

describe.each(models)('odd adapters of %s', name => {
  const folder = join(adaptersFolder, name);
  const { tokens, cases } = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8')) as AdaptersReference;
  const base = join(modelsFolder, name);
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(base);
  });
  afterAll(() => model.dispose());

  const refused: string[] = [];
  it.each(cases.map(({ name: of, ...about }) => [of, about] as const))('%s', async (of, { logits, options }) => {
    let tuned: Tuned;
    try {
      const adapter = await loadAdapter(join(folder, of));
      tuned = await composeAsync(model, { adapter });
    } catch (error) {
      expect((error as Error).message).toMatch(refusals);
      refused.push(of);
      return;
    }
    const result = tuned.forward(tokens);
    const values = Float32Array.from(await result.data());
    result.dispose();
    const tolerance = options.init_lora_weights === 'pissa' ? PISSA : LOADED;
    expect(worstDifference(values, Float32Array.from(logits))).toBeLessThan(tolerance);
    // Of a GPT-2, PEFT writes a saved table's tied head along, and then calls it unexpected when it reads the file.
    const isTiedTable =
      name === 'tiny-gpt2' && options.ensure_weight_tying === true && options.modules_to_save !== undefined;
    if (!isTiedTable) await leaveForPython(`${name}-${of}`, { prompts: tokens }, tuned, to => tuned.save(to), base);
    tuned.dispose();
  });
  it('loads nearly all of them', () => {
    expect(refused.length / cases.length, refused.join(', ')).toBeLessThan(0.12);
  });
});
