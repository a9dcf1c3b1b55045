/**
 * One rank of a measurement of training steps on several, or all of it where no launcher has started it. Rank 0 prints a line of
 * JSON: a {@link RanksMeasured}. `ranks.bench.ts` starts it.
 */
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { launchedByMpi, mpiComm } from '@dropbp/mpi';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { adamW, soloComm, train } from '@dropbp/train';
import { smolLM2Config } from './smollm2.ts';

/** Of each step after the first, which loads and touches everything for the first time. */
export interface RanksMeasured {
  readonly trainedParameters: number;
  readonly seconds: readonly number[];
  /** Bytes that the step gave to be added up over the ranks. */
  readonly reducedBytes: readonly number[];
  /** Time in calls of the `Comm`, in which a rank also waits for one that is slower. */
  readonly commMs: readonly number[];
  /** Share of the FLOPs of the backward pass that was dropped. */
  readonly dropped: readonly number[];
  /** What adding up as many values takes when both ranks are ready, the fastest of five: ms. */
  readonly bareReductionMs: number;
}

const { values } = parseArgs({
  options: {
    method: { type: 'string', default: 'lora' },
    rate: { type: 'string', default: '0' },
    time: { type: 'string', default: '256' },
    batch: { type: 'string', default: '2' },
    steps: { type: 'string', default: '4' },
  },
});
const [rate, time, batch, steps] = [values.rate, values.time, values.batch, values.steps].map(Number) as [
  ...[number, number, number, number],
];
const ranks = launchedByMpi() ? await mpiComm() : undefined;
const comm = ranks ?? soloComm();
await tf.setBackend('ort');
const model = createModel(smolLM2Config, { seed: 1 });
const adapter =
  values.method === 'full'
    ? fullFineTune({ takeOver: true })
    : lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] });
const drops = rate > 0 ? dropBP({ rate, seed: 1, calibration: false }) : undefined;
const tuned = compose(model, adapter, drops);
const trainedParameters = [...tuned.parameters.values()].reduce((sum, { size }) => sum + size, 0);

const tokens = Int32Array.from({ length: batch * time }, (_, i) => (i * 7919 + 3) % smolLM2Config.vocab_size);
function* batches(): Generator<{ inputIds: tf.Tensor2D; labels: tf.Tensor2D }> {
  for (;;) {
    const inputIds = tf.tensor2d(tokens, [batch, time], 'int32');
    yield { inputIds, labels: inputIds.clone() };
  }
}

const [seconds, reducedBytes, commMs, dropped]: number[][] = [[], [], [], []];
let before = ranks?.traffic();
const optimizer = adamW({ learningRate: 1e-4 });
for await (const step of train(tuned, batches(), { steps: steps + 1, optimizer, comm, compareWeightsEvery: 1000 })) {
  const now = ranks?.traffic();
  if (step.step > 1) {
    seconds!.push(step.seconds);
    dropped!.push(step.dropped);
    reducedBytes!.push((now?.reducedBytes ?? 0) - (before?.reducedBytes ?? 0));
    commMs!.push((now?.milliseconds ?? 0) - (before?.milliseconds ?? 0));
  }
  before = now;
}

let bareReductionMs = 0;
if (ranks !== undefined) {
  const gradient = new Float32Array(trainedParameters);
  const takes: number[] = [];
  for (let i = 0; i < 5; i++) {
    await comm.barrier();
    const startedMs = performance.now();
    await comm.allReduceSum(gradient);
    takes.push(performance.now() - startedMs);
  }
  bareReductionMs = Math.min(...takes);
}
const measured: RanksMeasured = {
  ...{ trainedParameters, bareReductionMs },
  ...{ seconds: seconds!, reducedBytes: reducedBytes!, commMs: commMs!, dropped: dropped! },
};
await comm.close();
if (comm.rank === 0) console.log(JSON.stringify(measured));
