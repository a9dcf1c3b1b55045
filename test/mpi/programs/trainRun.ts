// A training run of a small Llama, on whatever ranks this process is one of: without a launcher, on this process alone.
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs';
import { seededRandom } from '@dropbp/basics';
import { compose } from '@dropbp/compose';
import type { Batch } from '@dropbp/core';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { launchedByMpi, mpiComm } from '@dropbp/mpi';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { adamW, cosine, soloComm, train } from '@dropbp/train';
import '@dropbp/tfjs-backend-ort';
import type { TrainRun, TrainRunReport } from '../trainRuns.ts';

const run = JSON.parse(process.argv[2]!) as TrainRun;
const isRank = launchedByMpi();
const comm = isRank ? await mpiComm({ timeoutSeconds: run.timeoutSeconds ?? 20 }) : soloComm();
await tf.setBackend('ort');

const sizes = { vocab_size: 64, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 4, num_attention_heads: 4 };
const model = createModel({ model_type: 'llama', ...sizes }, { seed: 1 });
const adapter =
  run.adapter === 'full'
    ? fullFineTune()
    : lora({ rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj', 'down_proj'] });
const drops = run.dropped ? dropBP({ rate: 0.5, seed: 3, calibration: { at: 0.1, samples: 2 } }) : undefined;
const tuned = compose(model, adapter, drops);

/** Texts of two to twenty tokens, each the continuation of a pattern: ranks hardly ever have equally many. */
function* batches(): Generator<Batch> {
  const random = seededRandom(7);
  const time = 20;
  for (;;) {
    const inputIds = new Int32Array(4 * time);
    const labels = new Int32Array(4 * time).fill(-100);
    for (let row = 0; row < 4; row++) {
      const length = 2 + Math.floor(random() * (time - 1));
      const [first, stride] = [Math.floor(random() * 64), 1 + Math.floor(random() * 5)];
      for (let i = 0; i < length; i++) inputIds[row * time + i] = (first + i * stride) % 64;
      labels.set(inputIds.subarray(row * time, row * time + length), row * time);
    }
    yield { inputIds: tf.tensor2d(inputIds, [4, time], 'int32'), labels: tf.tensor2d(labels, [4, time], 'int32') };
  }
}

const losses: number[] = [];
const tokens: number[] = [];
const learningRate = run.adapter === 'full' ? 5e-3 : 1e-2;
const steps = train(tuned, batches(), {
  ...{ steps: run.steps, accumulation: run.accumulation ?? 1, seed: 5, comm, compareWeightsEvery: 10 },
  optimizer: adamW({ learningRate, weightDecay: 0.1 }),
  schedule: cosine({ warmupSteps: 3 }),
  ...(run.checkpoints !== undefined && { checkpoints: { directory: run.checkpoints, every: 5, resume: true } }),
});
for await (const { step, loss, tokens: counted } of steps) {
  losses.push(loss);
  tokens.push(counted);
  if (comm.rank === 0) console.log(`step ${step}`);
  if (step === run.stopAfter) break;
  if (run.pauseMs !== undefined) await pause(run.pauseMs);
}

const hash = createHash('sha256');
for (const variable of tuned.parameters.values()) hash.update(Float32Array.from(await variable.data()));
const { rank, size, localSize } = comm;
const report: TrainRunReport = { rank, size, localSize, losses, tokens, weights: hash.digest('hex') };
if (run.adapterFolder !== undefined && rank === 0) await tuned.save(run.adapterFolder);
await comm.close();
console.log(JSON.stringify(report));
