/** LoRA with DropBP, in 20 lines: a model that knows Jane Austen begins to read the King James Bible. */
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { loadTokenizer, readText, streamText, textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { generate, loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { train } from '@dropbp/train';

const base = 'models/austen-base'; // or a hub id such as 'HuggingFaceTB/SmolLM2-135M'
const tokenizer = await loadTokenizer(base);
const tokens = tokenizer.encode(await readText('examples/data/kjv.txt.gz'));
const tuned = compose(await loadModel(base), lora({ rank: 16, targetModules: 'all-linear' }), dropBP({ rate: 0.5 }));
for await (const { step, loss, dropped } of train(tuned, textBatches(tokens, { batchSize: 4, seqLen: 64, seed: 1 }), {
  steps: 60,
  learningRate: 1e-2,
})) {
  if (step % 20 === 0) console.log(`step ${step}: loss ${loss.toFixed(2)}, ${Math.round(100 * dropped)} % dropped`);
}
await tuned.save('out/examples/lora');
const answer = generate(tuned, tokenizer.encode('And the king'), { maxNewTokens: 24, temperature: 0.7, seed: 1 });
for await (const text of streamText(tokenizer, answer)) process.stdout.write(text);
