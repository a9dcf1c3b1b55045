/**
 * Measures one kind of training step, or generation, in a process of its own, so that its peak memory is its own, and
 * prints a line of JSON: a {@link Measured}. The benchmarks start it; its twin is torch_step.py.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { compose } from '@dropbp/compose';
import type { Adapter, Model } from '@dropbp/core';
import { dropBP, type DropBPOptions } from '@dropbp/dropbp';
import { createModel, generate, loadModel, type WeightsForm } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { adamW } from '@dropbp/train';
import { registerTensorflow } from '../test/tfjs-node/registerTensorflow.ts';
import { median } from './median.ts';
import { smolLM2Config } from './smollm2.ts';

/** What a measurement gives. The twin in Python gives the same, without `engineShare`. */
export interface Measured {
  /** Of the first step, which loads and touches everything for the first time. */
  readonly firstSeconds: number;
  readonly firstLoss: number;
  /** Of each step after the first; where tokens are generated, of all of them. */
  readonly seconds: readonly number[];
  readonly peakMB: number;
  /** What a plain matrix product reached before and after, in GFLOPS. */
  readonly probe: readonly number[];
  /** Time inside ONNX Runtime, of all time of the steps. */
  readonly engineShare?: number;
  /** What was dropped in each step, the first included: '1' for each branch that was. */
  readonly dropped: readonly string[];
  /** FLOPs of the dropped branches, of all branches'. */
  readonly droppedShare: number;
  /** FLOPs of one forward pass: branches and head. */
  readonly flops: number;
}

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'ort' },
    model: { type: 'string', default: '' },
    method: { type: 'string', default: 'lora' },
    rate: { type: 'string', default: '0' },
    sampling: { type: 'string', default: 'nested' },
    time: { type: 'string', default: '512' },
    batch: { type: 'string', default: '1' },
    steps: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '0' },
    checkpointing: { type: 'string', default: 'false' },
    weights: { type: 'string', default: 'f32' },
    prompt: { type: 'string', default: '0' },
    dropPrompts: { type: 'string', default: 'false' },
  },
});
const [rate, time, batch, steps, tokens] = [values.rate, values.time, values.batch, values.steps, values.tokens].map(
  Number,
) as [number, number, number, number, number];
const adapters: Readonly<Record<string, () => Adapter>> = {
  lora: () => lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] }),
  'lora-all': () => lora({ rank: 8, alpha: 16, targetModules: 'all-linear' }),
  full: () => fullFineTune({ takeOver: true }),
};

/** What users get; and draws at uniform rates, `pivotal` even ones. */
const draws: Readonly<Record<string, Partial<DropBPOptions>>> = {
  nested: { allocation: 'depth' },
  pivotal: { calibration: false, sampling: 'pivotal' },
  reference: { calibration: false, sampling: 'reference' },
};

if (values.backend === 'tensorflow') await registerTensorflow();
if (values.backend === 'wasm') await import('@tensorflow/tfjs-backend-wasm');
if (values.backend === 'ort') await import('@dropbp/tfjs-backend-ort');
await tf.setBackend(values.backend);
const model = await modelToMeasure();
const engine = await engineTime();
console.log(JSON.stringify(tokens > 0 ? await measureTokens(model) : await measureSteps(model)));

function modelToMeasure(): Model | Promise<Model> {
  const weights = values.weights as WeightsForm;
  if (values.model === '')
    return createModel({ ...smolLM2Config, max_position_embeddings: Math.max(8192, time) }, { seed: 1, weights });
  if (existsSync(values.model)) return loadModel(values.model, { weights });
  const folder = fileURLToPath(new URL('..', import.meta.url));
  throw new Error(`there is no ${values.model}: run ${folder}test/parity/make.sh, or leave --model out`);
}

/** Tokens that both twins take: `[batch, time]`, the rows different. */
function tokenRows(): Int32Array {
  return Int32Array.from({ length: batch * time }, (_, i) => (i * 7919 + 3) % model.vocabSize);
}

async function measureSteps(model: Model): Promise<Measured> {
  const adapter = adapters[values.method]!();
  const dropPrompts = values.dropPrompts === 'true';
  const drop =
    rate === 0 && !dropPrompts ? undefined : dropBP({ rate, dropPrompts, seed: 1, ...draws[values.sampling] });
  const tuned = compose(model, adapter, drop, { checkpointing: values.checkpointing === 'true' });
  const optimizer = adamW({ learningRate: 1e-4 });
  // Full fine-tuning updates while the backward pass is on its way, as `train` does with earlyUpdate.
  const onGradient = (name: string, gradient: tf.Tensor): void => {
    optimizer.apply(tuned.parameters, new Map([[name, gradient]]));
    gradient.dispose();
  };
  const early = values.method === 'full' ? { onGradient } : {};
  const inputIds = tf.tensor2d(tokenRows(), [batch, time], 'int32');
  const prompt = Number(values.prompt);
  const labels = tf.tensor2d(tokenRows().map((token, i) => (i % time < prompt ? -100 : token)), [batch, time], 'int32'); // prettier-ignore
  const flops = model.branches.map(branch => branch.flops({ batch, time }));
  const branchFlops = flops.reduce((a, b) => a + b, 0);
  const probeBefore = await probe();
  const seconds: number[] = [];
  const dropped: string[] = [];
  let droppedFlops = 0;
  let firstLoss = NaN;
  for (let step = 0; step <= steps; step++) {
    if (step === 1) engine?.reset();
    const started = performance.now();
    const result = await tuned.valueAndGradients({ inputIds, labels }, { step, ...early });
    optimizer.apply(tuned.parameters, result.gradients);
    const [loss] = await result.value.data();
    tf.dispose([result.value, ...result.gradients.values()]);
    seconds.push((performance.now() - started) / 1000);
    if (step === 0) firstLoss = loss!;
    dropped.push(result.dropped.map(Number).join(''));
    if (step > 0) droppedFlops += flops.reduce((sum, f, i) => sum + (result.dropped[i] === true ? f : 0), 0);
  }
  const [firstSeconds, ...later] = seconds as [number, ...number[]];
  const engineShare = engine && engine.seconds() / later.reduce((a, b) => a + b, 0);
  return {
    firstSeconds,
    firstLoss,
    seconds: later,
    ...(engineShare !== undefined && { engineShare }),
    dropped,
    droppedShare: droppedFlops / branchFlops / steps,
    flops: branchFlops + 2 * batch * time * model.hiddenSize * model.vocabSize,
    probe: [probeBefore, await probe()],
    peakMB: peakMB(),
  };
}

/** Greedy generation after a prompt of `time` tokens, the prompt's pass included. */
async function measureTokens(model: Model): Promise<Measured> {
  const run = async (count: number): Promise<number> => {
    const started = performance.now();
    const options = { maxNewTokens: count, stopTokens: [] };
    let generated = 0;
    for await (const token of generate(model, tokenRows().slice(0, time), options)) generated += token >= 0 ? 1 : 0;
    if (generated !== count) throw new Error(`${generated} tokens instead of ${count}`);
    return (performance.now() - started) / 1000;
  };
  const probeBefore = await probe();
  const firstSeconds = await run(2);
  engine?.reset();
  const seconds: number[] = [];
  for (let i = 0; i < steps; i++) seconds.push(await run(tokens));
  const engineShare = engine && engine.seconds() / seconds.reduce((a, b) => a + b, 0);
  const rest = { firstLoss: NaN, dropped: [], droppedShare: 0, flops: 0, peakMB: peakMB() };
  return { firstSeconds, seconds, ...(engineShare !== undefined && { engineShare }), ...rest, probe: [probeBefore, await probe()] }; // prettier-ignore
}

/** Time inside ONNX Runtime; undefined on other backends. */
async function engineTime(): Promise<{ reset(): void; seconds(): number } | undefined> {
  if (values.backend !== 'ort') return undefined;
  const { ortBackend } = await import('@dropbp/tfjs-backend-ort');
  const { device } = ortBackend();
  const run = device.run.bind(device);
  let ms = 0;
  device.run = (...args) => {
    const started = performance.now();
    run(...args);
    ms += performance.now() - started;
  };
  return {
    reset() {
      ms = 0;
    },
    seconds: () => ms / 1000,
  };
}

/** GFLOPS of a product of square matrices: what the machine gives at this moment. */
async function probe(): Promise<number> {
  if (values.backend !== 'ort') return NaN;
  const size = 1024;
  const [a, b] = [tf.randomUniform([size, size]), tf.randomUniform([size, size])];
  const speeds: number[] = [];
  for (let i = 0; i < 6; i++) {
    const started = performance.now();
    const product = tf.matMul(a, b);
    await product.data();
    speeds.push((2 * size ** 3) / (performance.now() - started) / 1e6);
    product.dispose();
  }
  tf.dispose([a, b]);
  return Math.round(median(speeds));
}

function peakMB(): number {
  return process.resourceUsage().maxRSS / 1024;
}
