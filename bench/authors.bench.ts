/**
 * Does our step compute what the authors' PyTorch code computes, and how do time and memory compare?
 *
 *     git clone https://github.com/WooSunghyeon/dropbp <clone> && git -C <clone> checkout 7170a63
 *     npx tsx bench/authors.bench.ts --authors <clone> [--small test/.models/tiny-llama2] [--model test/.models/smollm2-135m]
 *       [--time 512] [--rounds 3] [--steps 5] [--gradients]
 *
 * Their layer sits behind every branch of transformers' Llama, with PEFT's LoRA: on a small model all gradients are compared for
 * many sets of dropped branches; on the larger one both sides take turns at steps with the same drops, each measurement in a
 * process of its own. `--gradients` compares gradients alone. Needs the environment and the models of test/parity. Writes
 * bench/results/authors.json.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { seededRandom } from '@dropbp/basics';
import { compose, loadAdapter } from '@dropbp/compose';
import { loadModel } from '@dropbp/models';
import { openSafetensors, toFloat32 } from '@dropbp/safetensors';
import { machine } from './machine.ts';
import { measureOurs, measureTorch, prepareOurs } from './measureInProcess.ts';
import type { Measured } from './measureStep.ts';
import { median, round } from './median.ts';

const { values } = parseArgs({
  options: {
    authors: { type: 'string' },
    small: { type: 'string', default: 'test/.models/tiny-llama2' },
    model: { type: 'string', default: 'test/.models/smollm2-135m' },
    time: { type: 'string', default: '512' },
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '5' },
    gradients: { type: 'boolean', default: false },
  },
});
const { authors, time, steps } = values;
if (authors === undefined) throw new Error('--authors is missing: a clone of https://github.com/WooSunghyeon/dropbp');
const path = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));
const where = machine();

const gradients = await compareGradients(authors);
console.table(gradients);
const sideBySide = values.gradients ? [] : await compareSteps(authors);
if (sideBySide.length > 0) console.table(sideBySide);
const command = `npx tsx bench/authors.bench.ts --authors <clone> --small ${values.small} --model ${values.model} --time ${time} --rounds ${values.rounds} --steps ${steps}${values.gradients ? ' --gradients' : ''}`;
writeFileSync(
  new URL('results/authors.json', import.meta.url),
  `${JSON.stringify({ command, ...where, authors: '7170a63', gradients, sideBySide }, undefined, 2)}\n`,
);

/** The largest error of a gradient, relative to its norm, over all parameters and sets of dropped branches. */
async function compareGradients(clone: string): Promise<object> {
  const model = await loadModel(path(values.small));
  const random = seededRandom(9);
  const patterns = Array.from({ length: 16 }, (_, i) =>
    model.branches.map(() => (i === 0 ? '0' : random() < 0.5 ? '1' : '0')).join(''),
  );
  const out = mkdtempSync(join(tmpdir(), 'dropbp-authors-'));
  const flags = { model: path(values.small), authors: clone, dropped: JSON.stringify(patterns), time: 32, out };
  const script = [
    path('bench/authors_gradients.py'),
    ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, String(v)]),
  ];
  const losses = JSON.parse(execFileSync(path('.venv/bin/python'), script, { encoding: 'utf8' })) as number[];
  await tf.setBackend('ort');
  const tuned = compose(model, await loadAdapter(out));
  const ids = Int32Array.from({ length: 64 }, (_, i) => (i * 7919 + 3) % model.vocabSize);
  const inputIds = tf.tensor2d(ids, [2, 32], 'int32');
  let [worstGradient, worstLoss, compared] = [0, 0, 0];
  for (const [i, pattern] of patterns.entries()) {
    const dropped = Array.from(pattern, digit => digit === '1');
    const result = await tuned.valueAndGradients({ inputIds, labels: inputIds }, { dropped });
    worstLoss = Math.max(worstLoss, Math.abs((await result.value.data())[0]! / losses[i]! - 1));
    const expected = await readAll(join(out, `gradients.${i}.safetensors`));
    if (String([...expected.keys()].sort()) !== String([...result.gradients.keys()].sort())) {
      throw new Error(`dropping ${pattern}: not the same parameters have a gradient`);
    }
    for (const [name, gradient] of result.gradients) {
      worstGradient = Math.max(worstGradient, relativeError(await gradient.data(), expected.get(name)!));
      compared++;
    }
    tf.dispose([result.value, ...result.gradients.values()]);
  }
  rmSync(out, { recursive: true });
  tuned.dispose();
  model.dispose();
  inputIds.dispose();
  return { patterns: patterns.length, gradients: compared, worstGradient, worstLoss };
}

async function readAll(file: string): Promise<Map<string, Float32Array>> {
  const opened = await openSafetensors(file);
  const tensors = new Map<string, Float32Array>();
  for (const [name, { dtype }] of opened.tensors) tensors.set(name, toFloat32(dtype, await opened.read(name)));
  await opened.close();
  return tensors;
}

function relativeError(actual: ArrayLike<number>, expected: Float32Array): number {
  const difference = Math.hypot(...expected.map((value, i) => value - actual[i]!));
  return difference / Math.hypot(...expected);
}

/** Step time and peak memory at each rate: ours, and torch with the authors' layer. */
async function compareSteps(clone: string): Promise<object[]> {
  await prepareOurs();
  const rates = [0, 0.5, 0.875];
  const all = new Map<string, Measured[]>();
  const add = (name: string, measured: Measured): void => void all.set(name, [...(all.get(name) ?? []), measured]);
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const rate of rates) {
      const flags = { model: path(values.model), method: 'lora', time, steps };
      const ours = measureOurs({ ...flags, rate });
      add(`ours ${rate}`, ours);
      add(`authors ${rate}`, measureTorch({ ...flags, authors: clone, dropped: JSON.stringify(ours.dropped) }));
    }
  }
  const seconds = (name: string): number => median(all.get(name)!.flatMap(run => [...run.seconds]));
  const memory = (name: string): number => median(all.get(name)!.map(run => run.peakMB));
  return rates.map(rate => ({
    rate,
    ourSeconds: round(seconds(`ours ${rate}`)),
    authorsSeconds: round(seconds(`authors ${rate}`)),
    ratio: round(seconds(`ours ${rate}`) / seconds(`authors ${rate}`)),
    ourSaving: round(1 - seconds(`ours ${rate}`) / seconds('ours 0')),
    authorsSaving: round(1 - seconds(`authors ${rate}`) / seconds('authors 0')),
    ourPeakMB: Math.round(memory(`ours ${rate}`)),
    authorsPeakMB: Math.round(memory(`authors ${rate}`)),
  }));
}
