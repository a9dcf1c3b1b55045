/**
 * Fine-tunes on conversations through the model's own chat template: only the answers are learned.
 *
 *     npx tsx examples/chat.ts [folder or hub id, such as HuggingFaceTB/SmolLM2-135M-Instruct]
 *
 * Without an argument it takes SmolLM2 where test/parity has made its folder, and else the small model of this repository,
 * with a chat template made up for it.
 */
import { existsSync } from 'node:fs';
import '@dropbp/tfjs-backend-ort';
import { compose } from '@dropbp/compose';
import {
  exampleText,
  loadChatTemplate,
  loadTokenizer,
  openDataset,
  streamText,
  tokenizeRows,
  trainingBatches,
  type ChatMessage,
} from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { findModelFolder, generate, loadModel } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { cosine, train } from '@dropbp/train';

const smollm2 = 'test/.models/smollm2-135m';
const source = process.argv[2] ?? (existsSync(smollm2) ? smollm2 : 'models/austen-base');
const folder = await findModelFolder(source);
const tokenizer = await loadTokenizer(folder);
const chatTemplate =
  (await loadChatTemplate(folder)) ??
  (await loadChatTemplate({
    template: `{% for m in messages %}{{ m.role + ': ' + m.content + '<|endoftext|>\n' }}{% endfor %}
      {%- if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}`,
  }))!;
console.log(`${source}, ${tokenizer.vocabSize} tokens`);

// A file as well: openDataset('chats.jsonl'), one {"messages": […]} a line.
const capitals = { France: 'Paris', Italy: 'Rome', Spain: 'Madrid', Japan: 'Tokyo', Egypt: 'Cairo', Peru: 'Lima' };
const ask = (country: string): ChatMessage => ({ role: 'user', content: `What is the capital of ${country}?` });
const rows = Object.entries(capitals).map(([country, city]) => ({
  messages: [ask(country), { role: 'assistant', content: `Ahoy! 'Tis ${city}, matey.` }],
}));
const dataset = await openDataset(rows);
console.log(dataset.explanation);
const chats = tokenizeRows(dataset, { tokenizer, chatTemplate, seqLen: 128 });
const [first] = await dataset.read([0]);
const seen = chats.tokenize(first!).sequences.flatMap(sequence => exampleText(tokenizer, sequence));
console.log('what counts in brackets:', seen.map(({ text, counts }) => (counts ? `[${text}]` : text)).join(''));

const model = await loadModel(folder);
const tuned = compose(model, lora({ rank: 8, targetModules: 'all-linear' }), dropBP({ rate: 0.5 }));
const steps = source === 'models/austen-base' ? 40 : 10;
for await (const { step, loss } of train(tuned, trainingBatches(chats, { batchSize: 6, seed: 1 }), {
  ...{ steps, learningRate: 5e-3, schedule: cosine({ warmupSteps: 2 }) },
})) {
  if (step % 5 === 0) console.log(`step ${step}: loss ${loss.toFixed(3)}`);
}

const prompt = chatTemplate.render([ask('Germany')], { addGenerationPrompt: true });
// The template has written all special tokens.
const answer = generate(tuned, tokenizer.encode(prompt, { addSpecialTokens: false }), { maxNewTokens: 24 });
for await (const text of streamText(tokenizer, answer, { skipSpecialTokens: true })) process.stdout.write(text);
console.log();
await tuned.save('out/examples/chat');
