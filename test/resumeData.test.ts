import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { expect, it } from 'vitest';
import { compose } from '@dropbp/compose';
import { loadChatTemplate, loadTokenizer, openDataset, tokenizeRows, trainingBatches } from '@dropbp/data';
import { createModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { train, type TrainOptions, type TrainStep } from '@dropbp/train';

const config = {
  ...{ model_type: 'llama', initializer_range: 0.3, vocab_size: 801, hidden_size: 16, intermediate_size: 32 },
  ...{ max_position_embeddings: 32, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1 },
};
const fixture = new URL('../packages/data/test/fixtures/tokenizers.json', import.meta.url);

it.each(['byLength', 'packed'] as const)('a run on a file goes on as one that never stopped: %s', async arrangement => {
  await tf.setBackend('cpu');
  const folder = await mkdtemp(join(tmpdir(), 'dropbp-data-'));
  const chats = Array.from({ length: 40 }, (_, i) => ({
    messages: [
      { role: 'user', content: `Question ${i}`.repeat(1 + (i % 3)) },
      { role: 'assistant', content: `Answer ${i * 7}` },
    ],
  }));
  const path = join(folder, 'chats.jsonl');
  await writeFile(path, chats.map(chat => JSON.stringify(chat)).join('\n'));
  const { families } = JSON.parse(readFileSync(fixture, 'utf8')) as { families: { smollm: { tokenizer: object } } };
  const tokenizer = await loadTokenizer({ tokenizer: families.smollm.tokenizer, config: { eos_token: '<|end|>' } });
  const chatTemplate = await loadChatTemplate({
    template: `{% for m in messages %}{{ '<s>' + m.role + '\n' + m.content + '<|end|>' }}{% endfor %}
    {%- if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}`,
  });
  const run = async (checkpoints?: TrainOptions['checkpoints'], until = Infinity): Promise<TrainStep[]> => {
    const rows = tokenizeRows(await openDataset(path), { tokenizer, chatTemplate, time: 32 });
    const batches = trainingBatches(rows, { batch: 2, seed: 1, arrangement });
    const model = createModel(config, { seed: 2 });
    const tuned = compose(model, lora({ rank: 2, targetModules: 'all-linear' }));
    const steps: TrainStep[] = [];
    const options = { steps: 6, learningRate: 0.01, accumulation: 2, ...(checkpoints && { checkpoints }) };
    for await (const step of train(tuned, batches, options)) {
      steps.push({ ...step, seconds: 0 });
      if (step.step === until) break;
    }
    tuned.dispose();
    model.dispose();
    return steps;
  };
  const whole = await run();
  const directory = join(folder, 'checkpoints');
  await run({ directory, every: 2 }, 5);
  expect(await run({ directory, every: 2, resume: true })).toEqual(whole.slice(4));
  await rm(folder, { recursive: true });
});
