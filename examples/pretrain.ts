/**
 * Makes the shipped base model: trains a small Llama from random weights on Jane Austen's six novels.
 *
 *     npx tsx examples/pretrain.ts [--steps 3600] [--out models/austen-base]
 *
 * The tokenizer in the output folder is used as it is (examples/data/train_tokenizer.py makes it). QUICK=1 trains a
 * few steps into out/pretrain, to show that the example runs.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import { loadTokenizer, readText, splitHeldOut, textBatches } from '@dropbp/data';
import { createModel, generate } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { adamW, cosine, train } from '@dropbp/train';

const isQuick = process.env.QUICK !== undefined;
const base = 'models/austen-base';
const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: isQuick ? '20' : '3600' },
    out: { type: 'string', default: isQuick ? 'out/pretrain' : base },
  },
});
const steps = Number(values.steps);
const time = 256;
/** Of the held-out windows: those that `npm start` measures on. */
const heldOutTime = 128;

await tf.setBackend('ort');
const tokenizer = await loadTokenizer(base);
const text = await readText('examples/data/austen.txt.gz');
const { train: training, heldOut } = splitHeldOut(tokenizer.encode(text), { every: 50, seqLen: heldOutTime });

const model = createModel(
  {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    vocab_size: 2048,
    hidden_size: 192,
    intermediate_size: 512,
    num_hidden_layers: 8,
    num_attention_heads: 6,
    num_key_value_heads: 6,
    hidden_act: 'silu',
    max_position_embeddings: 512,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    initializer_range: 0.02,
    bos_token_id: 0,
    eos_token_id: 0,
    pad_token_id: 0,
    torch_dtype: 'bfloat16',
  },
  { seed: 1 },
);
const tuned = compose(model, fullFineTune());
console.log(`${tuned.trainableCount} parameters, ${training.length} tokens to train on, ${heldOut.length} held out`);

const heldOutBatches = () => textBatches(heldOut, { batchSize: 8, seqLen: heldOutTime, seed: 0, epochs: 1 });
const batches = textBatches(training, { batchSize: 8, seqLen: time, seed: 1, steps });
const started = performance.now();
for await (const step of train(tuned, batches, {
  steps,
  optimizer: adamW({ learningRate: 3e-3, weightDecay: 0.1 }),
  schedule: cosine({ warmupSteps: steps / 20, minimum: 0.02 }),
  evaluate: {
    batches: heldOutBatches,
    every: Math.ceil(steps / 10),
  },
})) {
  if (step.heldOutLoss !== undefined) console.log(`held-out loss ${step.heldOutLoss.toFixed(3)}`);
  if (step.step % Math.ceil(steps / 40) !== 0) continue;
  const minutes = ((performance.now() - started) / 60_000).toFixed(1);
  console.log(
    `step ${step.step}: loss ${step.loss.toFixed(3)}, ${Math.round(step.tokens / step.seconds)} tokens/s, ${minutes} min`,
  );
}

const sample: number[] = [];
const prompt = tokenizer.encode('It was a very fine morning, and');
for await (const token of generate(tuned, prompt, { maxNewTokens: 80, temperature: 0.8, topK: 40, seed: 1 }))
  sample.push(token);
console.log(tokenizer.decode([...prompt, ...sample]));

const trained = tuned.merge();
await trained.save(values.out, { dtype: 'BF16' });
if (values.out !== base) {
  mkdirSync(values.out, { recursive: true });
  for (const file of ['tokenizer.json', 'tokenizer_config.json'])
    copyFileSync(join(base, file), join(values.out, file));
}
console.log(`written to ${values.out}`);
