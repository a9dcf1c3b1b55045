// A training by the packages alone: model and data are given, the adapter goes below the folder that is given.
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { loadTokenizer, readText, textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { generate, loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { train } from '@dropbp/train';
import { argv } from 'node:process';
import { workerData } from 'node:worker_threads';

const [folder, data, out] = workerData ?? argv.slice(2);
const model = await loadModel(folder);
const tokenizer = await loadTokenizer(folder);
const tuned = compose(model, lora({ rank: 4, targetModules: 'all-linear' }), dropBP({ rate: 0.5 }));
const batches = textBatches(tokenizer.encode(await readText(data)), { batch: 2, time: 32, seed: 1, steps: 3 });
for await (const { step, loss } of train(tuned, batches, { steps: 3, learningRate: 1e-3 })) console.log(step, loss);
await tuned.save(`${out}/adapter`);
for await (const token of generate(tuned, tokenizer.encode('In'), { maxNewTokens: 4 })) console.log(token);
