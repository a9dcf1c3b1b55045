/**
 * Prefix tuning with DropBP: each attention branch gets keys and values of its own in front; all weights stay as they are. A
 * prefix whose branch is dropped in a step is left alone in it. Nothing of the adapter says so: it works with every adapter.
 */
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, loadAdapter } from '@dropbp/compose';
import { loadTokenizer, readText, textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { loadModel } from '@dropbp/models';
import { prefixTuning } from '@dropbp/peft-prefix';
import { evaluateLoss, train } from '@dropbp/train';

const base = 'models/austen-base';
const tokens = (await loadTokenizer(base)).encode(await readText('examples/data/kjv.txt.gz'));
const [training, heldOut] = [tokens.slice(8192), tokens.slice(0, 8192)];
const heldOutBatches = () => textBatches(heldOut, { batchSize: 8, seqLen: 64, seed: 0, steps: 4 });

const model = await loadModel(base);
const tuned = compose(model, prefixTuning({ numVirtualTokens: 16, seed: 1 }), dropBP({ rate: 0.5 }));
console.log(
  `${tuned.trainableCount} numbers are trained, held-out loss ${await evaluateLoss(tuned, heldOutBatches())}`,
);

const prefixes = [...tuned.parameters];
const kept = new Map(prefixes.map(([name, prefix]) => [name, tf.clone(prefix)]));
for await (const { step, droppedBranches, heldOutLoss } of train(
  tuned,
  textBatches(training, { batchSize: 4, seqLen: 64, seed: 1 }),
  { steps: 60, learningRate: 3e-2, evaluate: { batches: heldOutBatches, every: 20 } },
)) {
  if (step === 1) {
    const isDropped = (path: string): boolean =>
      droppedBranches[0]![model.branches.findIndex(branch => branch.path === path)]!;
    for (const { path, kind } of model.branches) {
      if (kind === 'attention') console.log(`step 1: ${path} was ${isDropped(path) ? 'dropped' : 'kept'}`);
    }
  }
  if (heldOutLoss !== undefined) console.log(`step ${step}: held-out loss ${heldOutLoss}`);
}
const moved = await Promise.all(
  prefixes.map(async ([name, prefix]) => (await tf.any(tf.notEqual(prefix, kept.get(name)!)).data())[0]),
);
console.log(`${moved.filter(Boolean).length} of ${moved.length} prefixes have learned`);

await tuned.save('out/examples/prefix'); // PEFT loads it, and so do we:
const again = compose(model, await loadAdapter('out/examples/prefix'));
console.log(`loaded again: held-out loss ${await evaluateLoss(again, heldOutBatches())}`);
