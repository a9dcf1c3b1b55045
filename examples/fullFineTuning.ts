/**
 * All weights of a model, with DropBP. `earlyUpdate` changes each weight as soon as its gradient is there and frees that, so
 * that gradients of all weights never exist together. The result is a checkpoint that transformers loads.
 */
import { cp } from 'node:fs/promises';
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { loadTokenizer, readText, streamText, textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { generate, loadModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { adamW, cosine, train } from '@dropbp/train';

const base = 'models/austen-base';
const tokenizer = await loadTokenizer(base);
const tokens = tokenizer.encode(await readText('examples/data/kjv.txt.gz'));

const tuned = compose(await loadModel(base), fullFineTune(), dropBP({ rate: 0.5 }));
console.log(`${tuned.trainableCount} numbers are trained`);
const optimizer = adamW({ learningRate: 1e-3, weightDecay: 0.01 });
for await (const { step, loss, seconds } of train(tuned, textBatches(tokens, { batchSize: 4, seqLen: 64, seed: 1 }), {
  ...{ steps: 60, optimizer, schedule: cosine({ warmupSteps: 5 }) },
  ...{ earlyUpdate: true, maxGradientNorm: Infinity },
})) {
  if (step % 20 === 0) console.log(`step ${step}: loss ${loss.toFixed(2)}, ${(1000 * seconds).toFixed(0)} ms`);
}
optimizer.dispose();

const out = 'out/examples/full';
const trained = tuned.merge();
await trained.save(out);
for (const file of ['tokenizer.json', 'tokenizer_config.json']) await cp(`${base}/${file}`, `${out}/${file}`);
const answer = generate(trained, tokenizer.encode('And the king'), { maxNewTokens: 24, temperature: 0.7, seed: 1 });
for await (const text of streamText(tokenizer, answer)) process.stdout.write(text);
