/**
 * A model of your own (ownModel/smallTransformer.ts), written on @dropbp/core alone, with DropBP: first all of its weights
 * learn, then a LoRA adapter does, with half of the backward pass dropped. The model knows of neither.
 */
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { fullFineTune } from '@dropbp/peft-full';
import { lora } from '@dropbp/peft-lora';
import { train } from '@dropbp/train';
import { smallTransformer } from './ownModel/smallTransformer.ts';

await tf.setBackend('ort');
const letters = ' abcdefghijklmnopqrstuvwxyz.';
const encode = (text: string): Int32Array => Int32Array.from(text, letter => letters.indexOf(letter));
const first = encode('the quick brown fox jumps over the lazy dog. '.repeat(60));
const second = encode('jackdaws love my big sphinx of quartz. '.repeat(60));

const model = smallTransformer(1);
const whole = compose(model, fullFineTune(), dropBP({ rate: 0.3, seed: 1 }));
await learn('all weights', whole, first, 5e-3);
const taught = whole.merge();

const tuned = compose(taught, lora({ rank: 4, targetModules: 'all-linear' }), dropBP({ rate: 0.5, seed: 1 }));
const rates = await learn('LoRA', tuned, second, 2e-2);
taught.branches.forEach(({ path }, i) => console.log(`${path.padEnd(14)} dropped in ${Math.round(100 * rates[i]!)} %`));

async function learn(
  what: string,
  subject: typeof tuned,
  tokens: Int32Array,
  learningRate: number,
): Promise<readonly number[]> {
  let rates: readonly number[] = [];
  const batches = textBatches(tokens, { batchSize: 8, seqLen: 32, seed: 1 });
  for await (const { step, loss, dropped, ...after } of train(subject, batches, { steps: 80, learningRate })) {
    rates = after.rates ?? rates;
    if (step % 20 !== 0) continue;
    console.log(`${what}, step ${step}: loss ${loss.toFixed(2)}, ${Math.round(100 * dropped)} % dropped`);
  }
  return rates;
}
