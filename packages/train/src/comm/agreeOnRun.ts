import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { DropRun, Tuned } from '@dropbp/compose';
import type { TrainPlan } from '../options/trainOptions.ts';
import type { Comm } from './comm.ts';
import { fromRoot } from './fromRoot.ts';
import { gathered, nameRanks } from './gathered.ts';
import { hashText, hashValues } from './hash.ts';

type Facts = Readonly<Record<string, unknown>>;

/**
 * Makes sure that all ranks are about to do the same.
 *
 * @throws Problem, on every rank, where one has other options, another adapter, model or backend than rank 0
 */
export async function agreeOnRun(comm: Comm, tuned: Tuned, drops: DropRun, plan: TrainPlan): Promise<void> {
  if (comm.size === 1) return;
  const own = await factsOf(tuned, drops, plan);
  const first = await fromRoot(comm, () => own);
  const key = Object.keys(own).find(key => JSON.stringify(own[key]) !== JSON.stringify(first[key]));
  const differs = await gathered(comm, [key === undefined ? 0 : 1]);
  const ranks = differs.flatMap(([is], rank) => (is === 1 ? [rank] : []));
  if (ranks.length === 0) return;
  const fix = 'start every rank with the same command and the same files';
  if (key === undefined) {
    throw problem('train', { what: `${nameRanks(ranks)} began another run than rank 0, and say what differs`, fix });
  }
  throw problem('train', {
    what: `rank ${comm.rank} began another run than rank 0: ${key} differs`,
    got: own[key],
    expected: JSON.stringify(first[key]),
    fix,
  });
}

/** What has to be the same everywhere, by the name that a message gives it. */
async function factsOf({ model, adapter, parameters }: Tuned, drops: DropRun, plan: TrainPlan): Promise<Facts> {
  const { steps, learningRate, accumulation, maxGradientNorm, seed, compareWeightsEvery } = plan;
  const { schedule, evaluate, checkpoints, optimizer } = plan;
  const facts = {
    ...{ steps, learningRate, accumulation, seed, compareWeightsEvery },
    maxGradientNorm: String(maxGradientNorm),
    'the schedule': [0, Math.floor(steps / 2), steps - 1].map(step => schedule(step, steps)),
    'the evaluation': evaluate && [evaluate.every, evaluate.patience],
    checkpoints: checkpoints && [checkpoints.every, checkpoints.resume],
    'the optimizer': (await optimizer.state()).values.optimizer,
    'the adapter': adapter.name,
    'what is trained': hashText(JSON.stringify([...parameters].map(([name, { shape }]) => [name, shape]))),
    DropBP: drops.settings,
    'the model': [model.architecture, model.branches.length, model.vocabSize, await hashOfModel(model.parameters)],
    'the backend': tf.getBackend(),
  };
  // JSON leaves out what is undefined: that one rank has something and another has not would go unseen.
  return JSON.parse(JSON.stringify(facts, (_key, value: unknown) => value ?? null)) as Facts;
}

/** As many values of a tensor as tell two models apart. */
const SAMPLED_VALUES = 256;

/** A hash of some values of every weight. Those that are trained come from rank 0 anyway, but are the same before they are. */
async function hashOfModel(weights: ReadonlyMap<string, tf.Tensor>): Promise<number> {
  let hash = 0;
  for (const [name, weight] of weights) {
    const length = Math.min(SAMPLED_VALUES, weight.size);
    const start = Math.floor((weight.size - length) / 2);
    const some = tf.tidy(() => tf.slice(tf.reshape(weight, [weight.size]), [start], [length]));
    const values = await some.data().finally(() => some.dispose());
    hash = hashValues(Float32Array.from(values), hashText(name, hash));
  }
  return hash;
}
