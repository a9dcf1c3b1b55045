/**
 * A run that stops and goes on: checkpoints hold parameters, moments, generators, DropBP's state and the place in the data,
 * so that the losses of what follows are, bit for bit, those of a run that never stopped.
 */
import { rm } from 'node:fs/promises';
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { loadTokenizer, openDataset, tokenizeRows, trainingBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { cosine, train, type TrainOptions } from '@dropbp/train';

const directory = 'out/examples/checkpoints';
await rm(directory, { recursive: true, force: true });
const tokenizer = await loadTokenizer('models/austen-base');
const dataset = await openDataset(['examples/data/kjv.txt.gz']);
const rows = tokenizeRows(dataset, { tokenizer, seqLen: 64 });

/** A whole process, as it were: model, data and all from the beginning. */
async function run(more: Partial<TrainOptions>, onStep: (step: number) => void = () => undefined): Promise<number[]> {
  const model = await loadModel('models/austen-base');
  const adapter = lora({ rank: 8, targetModules: 'all-linear', dropout: 0.1 });
  const tuned = compose(model, adapter, dropBP({ rate: 0.5 }));
  const options = { steps: 24, learningRate: 1e-2, schedule: cosine({ warmupSteps: 2 }) };
  const losses: number[] = [];
  for await (const { step, loss } of train(tuned, trainingBatches(rows, { batchSize: 4, seed: 1 }), {
    ...options,
    ...more,
  })) {
    losses[step] = loss;
    onStep(step);
  }
  tuned.dispose();
  model.dispose();
  return losses;
}

const whole = await run({});
// Ctrl-C, say: the step under way is finished, and has a checkpoint.
const controller = new AbortController();
const first = await run({ checkpoints: { directory, every: 5 }, stop: controller.signal }, step => {
  if (step === 13) controller.abort();
});
const rest = await run({ checkpoints: { directory, every: 5, resume: true } });
console.log(`stopped after step ${first.length - 1}, went on to step ${rest.length - 1}`);
const differing = whole.filter((loss, step) => loss !== (rest[step] ?? first[step]));
console.log(`${whole.length - 1} losses, ${differing.length} of them others than in a run that was never stopped`);
if (differing.length > 0) process.exitCode = 1;
