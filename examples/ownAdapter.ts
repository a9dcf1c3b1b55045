/**
 * A whole adapter in one file (ownAdapter/ssf.ts), used like any other: with DropBP, in training, in files, beside others.
 *
 *     npx tsx examples/ownAdapter.ts
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose, loadAdapter } from '@dropbp/compose';
import { dropBP } from '@dropbp/dropbp';
import { createModel, generateBatch } from '@dropbp/models';
import { train } from '@dropbp/train';
import { ssf, ssfFormat } from './ownAdapter/ssf.ts';

await tf.setBackend('ort');
// A small model of random weights; loadModel(…) gives one that can do something.
const sizes = { vocab_size: 64, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4 };
const model = createModel({ model_type: 'llama', ...sizes, initializer_range: 0.3 }, { seed: 1 });
const tuned = compose(model, ssf(['v_proj', 'o_proj', 'down_proj']), dropBP({ rate: 0.5 }));

const text = [[1, 2, 3, 4, 5, 6, 7, 8]];
const batches = Array.from({ length: 60 }, () => {
  const inputIds = tf.tensor2d(text, undefined, 'int32');
  return { inputIds, labels: inputIds.clone() };
});
const losses: number[] = [];
for await (const { loss } of train(tuned, batches, { steps: 60, learningRate: 0.1 })) losses.push(loss);
console.log(`loss ${losses[0]!.toFixed(2)} → ${losses.at(-1)!.toFixed(2)}, half of the backward pass dropped`);

const folder = await mkdtemp(join(tmpdir(), 'ssf-'));
await tuned.save(folder);
const again = compose(model, {
  adapter: await loadAdapter(folder, { formats: [ssfFormat] }),
  adapterName: 'learned',
});

// The model as it is and with the adapter, in one batch.
const adapters = [undefined, 'learned'];
const rows: (number | undefined)[][] = [[], []];
for await (const tokens of generateBatch(
  again,
  [
    [1, 2],
    [1, 2],
  ],
  { adapters, maxNewTokens: 6, stopTokens: [] },
)) {
  tokens.forEach((token, i) => rows[i]!.push(token)); // prettier-ignore
}
console.log('without:', rows[0]!.join(' '), ' with:', rows[1]!.join(' '));
