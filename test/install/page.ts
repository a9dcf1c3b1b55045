// What a page that trains needs: every package that a browser may load. Nothing of Node may come with it.
import * as tf from '@tensorflow/tfjs';
import { compose } from '@dropbp/compose';
import { scaleGradient } from '@dropbp/core';
import { textBatches } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { createModel } from '@dropbp/models';
import { fullFineTune } from '@dropbp/peft-full';
import { ia3 } from '@dropbp/peft-ia3';
import { lora } from '@dropbp/peft-lora';
import { prefixTuning } from '@dropbp/peft-prefix';
import { train } from '@dropbp/train';

const adapters = { full: () => fullFineTune(), ia3: () => ia3(), lora: () => lora({ targetModules: 'all-linear' }) };
const prefix = () => prefixTuning({ numVirtualTokens: 4 });

export async function run(kind: keyof typeof adapters | 'prefix'): Promise<number[]> {
  const sizes = {
    vocab_size: 16,
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
  };
  const model = createModel({ model_type: 'llama', ...sizes }, { seed: 1 });
  const tuned = compose(model, kind === 'prefix' ? prefix() : adapters[kind](), dropBP({ rate: 0.5 }));
  const tokens = Array.from({ length: 200 }, (_, i) => i % 7);
  const losses: number[] = [];
  for await (const { loss } of train(tuned, textBatches(tokens, { batch: 2, time: 16, seed: 1 }), {
    steps: 8,
    learningRate: 0.02,
  }))
    losses.push(loss);
  return [...losses, ...(await scaleGradient(tf.tensor1d([1]), tf.scalar(1)).data())];
}

document.title = (await run('lora')).map(loss => loss.toFixed(3)).join(' ');
