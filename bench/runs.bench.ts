/**
 * How many sessions does a training step and a generated token run, how many are loaded for it, and what CPU time do they
 * take? Counts do not depend on what else the machine does.
 *
 *     npx tsx bench/runs.bench.ts [--time 128] [--rates 0,0.875] [--tokens 12] [--prompt 20] [--vocab 49152]
 *
 * Writes bench/results/runs.json.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { compose } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { createModel, generate } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { ortBackend } from '@dropbp/tfjs-backend-ort';
import { adamW, clipByGlobalNorm } from '@dropbp/train';
import { countDevice } from '../test/countDevice.ts';
import { machine } from './machine.ts';
import { smolLM2Config } from './smollm2.ts';

const { values } = parseArgs({
  options: {
    time: { type: 'string', default: '128' },
    rates: { type: 'string', default: '0,0.875' },
    tokens: { type: 'string', default: '12' },
    prompt: { type: 'string', default: '20' },
    vocab: { type: 'string', default: '49152' },
  },
});

interface Count {
  /** Session runs. */
  readonly runs: number;
  /** Sessions loaded. */
  readonly loads: number;
  /** CPU time of the process, that of the operating system not counted. */
  readonly userMs: number;
}

await tf.setBackend('ort');
const device = countDevice(ortBackend().device);
const model = createModel({ ...smolLM2Config, vocab_size: Number(values.vocab) }, { seed: 1 });
const where = machine();
const steps = [];
for (const rate of values.rates.split(',').map(Number)) steps.push(...(await countStep(model, rate)));
console.table(steps);
const tokens = await countTokens(model);
console.table(tokens);
const command = `npx tsx bench/runs.bench.ts --time ${values.time} --rates ${values.rates} --tokens ${values.tokens} --prompt ${values.prompt} --vocab ${values.vocab}`; // prettier-ignore
writeFileSync(
  new URL('results/runs.json', import.meta.url),
  `${JSON.stringify({ command, ...where, steps, tokens }, undefined, 2)}\n`,
);

/** What has been counted since a count. */
function since({ runs, loads, userMs }: Count): Count {
  const now = snapshot();
  return { runs: now.runs - runs, loads: now.loads - loads, userMs: Math.round(now.userMs - userMs) };
}

function snapshot(): Count {
  return { runs: device.runs, loads: device.loads, userMs: process.cpuUsage().user / 1000 };
}

/** The parts of the second and third step; the first one loads. */
async function countStep(model: Model, rate: number): Promise<object[]> {
  const time = Number(values.time);
  const drop = rate === 0 ? undefined : dropBP({ rate, calibration: false, sampling: 'pivotal', seed: 1 });
  const tuned = compose(model, lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] }), drop);
  const optimizer = adamW({ learningRate: 1e-4 });
  const ids = Int32Array.from({ length: time }, (_, i) => (i * 7919 + 3) % model.vocabSize);
  const inputIds = tf.tensor2d(ids, [1, time], 'int32');
  const rows: object[] = [];
  for (let step = 0; step < 3; step++) {
    const parts: [string, Count][] = [];
    const part = async <T>(name: string, run: () => T | Promise<T>): Promise<T> => {
      const before = snapshot();
      const result = await run();
      parts.push([name, since(before)]);
      return result;
    };
    const pass = await part('pass', () => tuned.valueAndGradients({ inputIds, labels: inputIds }, { step }));
    const clipped = await part('clipping', () => clipByGlobalNorm(pass.gradients, 1));
    await part('AdamW', () => {
      optimizer.apply(tuned.parameters, clipped.gradients);
    });
    tf.dispose([pass.value, clipped.norm, ...pass.gradients.values(), ...clipped.gradients.values()]);
    for (const [name, count] of parts) rows.push({ rate, step, part: name, ...count });
  }
  optimizer.dispose();
  tuned.dispose();
  inputIds.dispose();
  return rows;
}

/** The prompt with the first token, and each token that follows. */
async function countTokens(model: Model): Promise<object[]> {
  const prompt = Array.from({ length: Number(values.prompt) }, (_, i) => (i * 7919 + 3) % model.vocabSize);
  const rows: object[] = [];
  let before = snapshot();
  for await (const token of generate(model, prompt, { maxNewTokens: Number(values.tokens), stopTokens: [] })) {
    rows.push({ token, ...since(before) });
    before = snapshot();
  }
  return rows;
}
