import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, loadAdapter } from '@dropbp/compose';
import type { Model } from '@dropbp/core';
import { loadModel } from '@dropbp/models';
import {
  dpoLoss,
  dpoLossTypes,
  klEstimate,
  ktoLoss,
  orpoLoss,
  preferenceBatches,
  simpoLoss,
  type DpoLossType,
  type PreferenceBatch,
  type RatedBatch,
} from '../src/index.ts';
import {
  fixtureFolder,
  largestDifference,
  readTrl,
  tokenizeFixture,
  type TrlCase,
  type TrlStep,
} from './trlFixture.ts';

const trl = readTrl();
let model: Model;

beforeAll(async () => {
  await tf.setBackend('cpu');
  model = await loadModel(fixtureFolder('llama'));
});
afterAll(() => model.dispose());

/** Sum of the log-probabilities of the labels in each row. */
function rowSums(logits: tf.Tensor, labels: tf.Tensor): { sums: tf.Tensor; counts: tf.Tensor } {
  const [rows, time, vocabulary] = logits.shape as [number, number, number];
  const next = tf.slice(labels, [0, 1], [rows, time - 1]);
  const counted = tf.cast(tf.greaterEqual(next, 0), 'float32');
  const own = tf.oneHot(tf.cast(tf.relu(next), 'int32'), vocabulary);
  const all = tf.logSoftmax(tf.slice(logits, [0, 0, 0], [rows, time - 1, vocabulary]));
  return {
    sums: tf.sum(tf.mul(tf.sum(tf.mul(all, tf.cast(own, 'float32')), -1), counted), -1),
    counts: tf.sum(counted, 1),
  };
}

interface Sums {
  readonly policy: tf.Tensor;
  readonly reference: tf.Tensor;
  readonly counts: tf.Tensor;
}

/** Log-probabilities of answers, by the adapter and by the base, with plain operations. */
async function sumsOf(ids: tf.Tensor, labels: tf.Tensor, attentionMask: tf.Tensor): Promise<Sums> {
  const tuned = compose(model, await loadAdapter(fixtureFolder('lora')));
  const forward = (): tf.Tensor => tuned.forward(ids, { attentionMask });
  const own = rowSums(forward(), labels);
  const reference = tuned.withoutAdapter(() => rowSums(forward(), labels)).sums;
  tuned.dispose();
  return { policy: own.sums, reference, counts: own.counts };
}

/** Every second value. */
const halves = (values: tf.Tensor): [chosen: tf.Tensor, rejected: tf.Tensor] => {
  const [chosen, rejected] = tf.unstack(tf.reshape(values, [-1, 2]), 1);
  return [chosen!, rejected!];
};

interface Outcome {
  readonly loss: tf.Tensor;
  readonly chosenRewards: tf.Tensor;
  readonly rejectedRewards: tf.Tensor;
}

async function pairOutcome(batch: PreferenceBatch, { objective, options, reference }: TrlCase): Promise<Outcome> {
  const { inputIds, labels, attentionMask } = batch;
  const sums = await sumsOf(inputIds, labels, attentionMask);
  const [chosen, rejected] = halves(sums.policy);
  const [referenceChosen, referenceRejected] = halves(reference === 'base' ? sums.reference : sums.policy);
  const [chosenTokens, rejectedTokens] = halves(sums.counts);
  const given = { chosen, rejected, referenceChosen, referenceRejected, chosenTokens, rejectedTokens };
  const { beta, label_smoothing: labelSmoothing = 0 } = options as { beta: number; label_smoothing?: number };
  if (objective === 'dpo') {
    const types = options.loss_type as DpoLossType[];
    const weights = (options.loss_weights ?? types.map(() => 1)) as number[];
    const weighted = types.map((type, i) => [type, weights[i]!] as const);
    return dpoLoss(given, weighted, { beta, labelSmoothing, discopopTau: 0.05 });
  }
  if (objective === 'simpo') {
    const { cpo_alpha: cpoAlpha, simpo_gamma: simpoGamma = 0.5 } = options as Record<string, number>;
    return simpoLoss(given, { beta, labelSmoothing, simpoGamma, cpoAlpha: cpoAlpha! });
  }
  // ORPO learns the prompt of the chosen answer too.
  const whole = tf.where(tf.cast(attentionMask, 'bool'), inputIds, tf.fill(inputIds.shape, -100, 'int32'));
  const all = await sumsOf(inputIds, whole, attentionMask);
  const crossEntropy = tf.neg(tf.div(tf.sum(halves(all.policy)[0]), tf.sum(halves(all.counts)[0])));
  return orpoLoss(given, crossEntropy, beta);
}

async function ratedOutcome(batch: RatedBatch, { options }: TrlCase): Promise<Outcome & { kl: tf.Tensor }> {
  const own = await sumsOf(batch.inputIds, batch.labels, batch.attentionMask);
  const other = await sumsOf(batch.mismatchedIds, batch.mismatchedLabels, batch.mismatchedMask);
  const lossType = options.loss_type as 'kto' | 'apo_zero_unpaired';
  const kl = lossType === 'kto' ? klEstimate(other.policy, other.reference) : tf.scalar(0);
  const { desirable } = batch;
  const numbers = { beta: 0.3, undesirableWeight: 1, desirableWeight: Number(options.desirable_weight ?? 1) };
  const { loss, rewards } = ktoLoss({ ...own, desirable, kl }, { ...numbers, lossType });
  const meanOf = (weights: tf.Tensor): tf.Tensor => tf.div(tf.sum(tf.mul(rewards, weights)), tf.sum(weights));
  return { loss, kl, chosenRewards: meanOf(desirable), rejectedRewards: meanOf(tf.sub(1, desirable)) };
}

const named = trl.cases.map(given => {
  const kind = [given.options.loss_type as string | string[], given.reference].flat().join(' ');
  return [`${given.objective} ${kind}`, given] as const;
});

describe("losses and rewards are TRL's on the first batch", () => {
  it.each(named)('%s', async (_, given) => {
    const isRated = given.objective === 'kto';
    const rows = await tokenizeFixture(trl, isRated ? 'rated' : 'explicit');
    const batches = preferenceBatches(rows, { batchSize: isRated ? 3 : 2, shuffle: false });
    const { value: batch } = await batches[Symbol.asyncIterator]().next();
    const outcome = isRated
      ? await ratedOutcome(batch as RatedBatch, given)
      : await pairOutcome(batch as PreferenceBatch, given);
    const [step] = given.steps as [TrlStep];
    const wanted: [tf.Tensor, number][] = [
      [outcome.loss, step.loss],
      [outcome.chosenRewards, step['rewards/chosen']],
      [outcome.rejectedRewards, step['rewards/rejected']],
    ];
    if ('kl' in outcome) wanted.push([outcome.kl as tf.Tensor, step.kl!]);
    for (const [ours, theirs] of wanted) {
      expect(largestDifference(await tf.mean(ours).data(), [theirs])).toBeLessThan(trl.tolerance);
    }
  });
});

describe('dpoLoss', () => {
  const numbers = { beta: 0.5, labelSmoothing: 0.1, discopopTau: 0.05 };
  const values = {
    chosen: [-3, -9, -4.2],
    rejected: [-5.3, -2, -4.5],
    referenceChosen: [-4, -8, -3],
    referenceRejected: [-4, -3, -7],
  };
  const lossAt = (type: DpoLossType, chosen: tf.Tensor): tf.Tensor => {
    const others = Object.fromEntries(Object.entries(values).map(([name, list]) => [name, tf.tensor1d(list)]));
    const tokens = { chosenTokens: tf.tensor1d([2, 5, 3]), rejectedTokens: tf.tensor1d([4, 1, 2]) };
    return dpoLoss({ ...(others as Required<typeof others>), ...tokens, chosen } as never, [[type, 1]], numbers).loss;
  };
  it.each(dpoLossTypes)('%s: its gradient is that of finite differences', async type => {
    const chosen = tf.tensor1d(values.chosen);
    const gradient = await tf
      .grad(at => lossAt(type, at))(chosen)
      .data();
    for (const i of values.chosen.keys()) {
      const at = (step: number): Promise<Float32Array> =>
        lossAt(
          type,
          tf.tensor1d(values.chosen.map((value, j) => (i === j ? value + step : value))),
        ).data() as Promise<Float32Array>;
      const slope = ((await at(1e-2))[0]! - (await at(-1e-2))[0]!) / 2e-2;
      expect(Math.abs(gradient[i]! - slope)).toBeLessThan(2e-3 * Math.max(1, Math.abs(slope)));
    }
  });
});
