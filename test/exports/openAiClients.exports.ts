import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import '@dropbp/tfjs-backend-ort';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compose, type Tuned } from '@dropbp/compose';
import { loadChatTemplate } from '@dropbp/data';
import { generate } from '@dropbp/models';
import { lora } from '@dropbp/peft-lora';
import { serve, type ModelServer, type Served } from '@dropbp/serve';
import { loadPretrained } from '@dropbp/setup';
import { openAiClients } from './openAiClients.ts';

const { OpenAI, ai, createOpenAICompatible } = openAiClients();
const austen = fileURLToPath(new URL('../../models/austen-base', import.meta.url));
const template =
  "{% for m in messages %}{{ m['content'] + ' ' }}{% endfor %}{% if add_generation_prompt %}She said{% endif %}";
const messages = [
  { role: 'system' as const, content: 'It was a fine day.' },
  { role: 'user' as const, content: 'Emma came in.' },
];
const asText = 'It was a fine day. Emma came in. She said';

let served: Served & { readonly tuned: Tuned };
let server: ModelServer;
let client: InstanceType<typeof OpenAI>;
let provider: ReturnType<typeof createOpenAICompatible>;
beforeAll(async () => {
  await tf.setBackend('ort');
  const pretrained = await loadPretrained(austen);
  const tuned = compose(pretrained.model, lora({ rank: 4, targetModules: 'all-linear' }), undefined, {
    adapterName: 'changed',
  });
  let seed = 1;
  for (const [name, variable] of tuned.parameters) {
    if (name.endsWith('lora_B.weight')) variable.assign(tf.randomNormal(variable.shape, 0, 0.1, 'float32', seed++));
  }
  const chatTemplate = (await loadChatTemplate({ template }))!;
  served = { ...pretrained, tuned, chatTemplate };
  server = await serve(served, { port: 0 });
  client = new OpenAI({ baseURL: server.url, apiKey: 'none', maxRetries: 0 });
  provider = createOpenAICompatible({ name: 'dropbp', baseURL: server.url, includeUsage: true });
});
afterAll(async () => {
  await server.close();
  served.tuned.dispose();
  served.model.dispose();
});

/** What we write ourselves. */
async function own(adapter: string | undefined, text: string, maxNewTokens: number): Promise<string> {
  const { tuned, tokenizer } = served;
  const write = async (): Promise<string> => {
    const tokens: number[] = [];
    for await (const token of generate(tuned, tokenizer.encode(text), { maxNewTokens })) tokens.push(token);
    return tokenizer.decode(tokens, { skipSpecialTokens: true });
  };
  return adapter === undefined ? tuned.withoutAdapter(write) : write();
}

describe('the package openai', () => {
  it('lists models', async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['austen-base', 'changed']);
    expect((await client.models.retrieve('changed')).id).toBe('changed');
    await expect(client.models.retrieve('../secrets')).rejects.toThrow('404');
  });

  it('chats with the model and its adapter at once', async () => {
    const names = ['austen-base', 'changed', 'austen-base'];
    const chats = await Promise.all(names.map(model => client.chat.completions.create({ model, messages, max_completion_tokens: 12, temperature: 0 }))); // prettier-ignore
    const [plain, changed] = [await own(undefined, asText, 12), await own('changed', asText, 12)];
    expect(changed).not.toBe(plain);
    expect(chats.map(({ choices }) => choices[0]!.message.content)).toEqual([plain, changed, plain]);
    expect(chats[0]!.choices[0]!.finish_reason).toBe('length');
    expect(chats[0]!.usage.completion_tokens).toBe(12);
  });

  it('streams chats, with usage', async () => {
    const stream = await client.chat.completions.create({ model: 'changed', messages, max_tokens: 10, temperature: 0, stream: true, stream_options: { include_usage: true } }); // prettier-ignore
    let text = '';
    let total: number | undefined;
    for await (const { choices, usage } of stream) {
      text += choices[0]?.delta.content ?? '';
      total = usage?.total_tokens ?? total;
    }
    expect(text).toBe(await own('changed', asText, 10));
    expect(total).toBe(served.tokenizer.encode(asText).length + 10);
  });

  it('completes texts, with stop sequences and seeds', async () => {
    const prompt = 'It is a truth universally acknowledged';
    const { choices } = await client.completions.create({
      model: 'austen-base',
      prompt,
      max_tokens: 24,
      temperature: 0,
    });
    expect(choices[0]!.text).toBe(await own(undefined, prompt, 24));
    const [stop] = choices[0]!.text.trim().split(' ').slice(3);
    const stopped = await client.completions.create({
      model: 'austen-base',
      prompt,
      max_tokens: 24,
      temperature: 0,
      stop,
    });
    expect(stopped.choices[0]).toMatchObject({ finish_reason: 'stop', text: choices[0]!.text.split(stop!)[0] });
    const draw = async (seed: number): Promise<string> =>
      (await client.completions.create({ model: 'changed', prompt, max_tokens: 12, seed, top_p: 0.9 })).choices[0]!
        .text;
    expect(await draw(3)).toBe(await draw(3));
    expect(await draw(3)).not.toBe(await draw(4));
  });

  it('embeds texts, as base64 by default', async () => {
    const ask = { model: 'austen-base', input: ['Emma', 'Mr. Knightley came in'] };
    const { data } = await client.embeddings.create(ask);
    const floats = await client.embeddings.create({ ...ask, encoding_format: 'float' });
    for (const [i, { embedding }] of data.entries()) {
      expect(embedding).toHaveLength(served.model.hiddenSize);
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
      expect([...embedding]).toEqual([...floats.data[i]!.embedding].map(Math.fround));
    }
  });

  it('reads errors, and stops a stream that it leaves', async () => {
    await expect(client.chat.completions.create({ model: 'nobody', messages })).rejects.toMatchObject({ status: 404, code: 'model_not_found', param: 'model' }); // prettier-ignore
    await expect(client.chat.completions.create({ model: 'changed', messages, n: 3 })).rejects.toMatchObject({ status: 400, param: 'n' }); // prettier-ignore
    const stream = await client.chat.completions.create({ model: 'changed', messages, stream: true });
    const chunks = stream[Symbol.asyncIterator]();
    await chunks.next();
    await chunks.return?.();
    const controller = new AbortController();
    const left = client.chat.completions.create({ model: 'changed', messages }, { signal: controller.signal });
    controller.abort();
    await expect(left).rejects.toThrow();
  });
});

describe('the AI SDK', () => {
  it('generates and streams texts', async () => {
    const ask = {
      model: provider('changed'),
      prompt: asText.replace(' She said', ''),
      maxOutputTokens: 10,
      temperature: 0,
      maxRetries: 0,
    };
    const { text, finishReason, usage } = await ai.generateText(ask);
    expect({ text, finishReason }).toEqual({ text: await own('changed', asText, 10), finishReason: 'length' });
    expect(usage.outputTokens).toBe(10);
    let streamed = '';
    const stream = ai.streamText({ ...ask, seed: 1, stopSequences: ['##'] });
    for await (const piece of stream.textStream) streamed += piece;
    expect(streamed).toBe(text);
    expect(await stream.finishReason).toBe('length');
  });

  it('completes and embeds', async () => {
    const { text } = await ai.generateText({ model: provider.completionModel('austen-base'), prompt: 'Emma', maxOutputTokens: 6, temperature: 0, maxRetries: 0 }); // prettier-ignore
    expect(text.length).toBeGreaterThan(0);
    const { embeddings } = await ai.embedMany({ model: provider.embeddingModel('changed'), values: ['one', 'two'] });
    expect(embeddings.map(({ length }) => length)).toEqual([served.model.hiddenSize, served.model.hiddenSize]);
    await expect(ai.generateText({ model: provider('nobody'), prompt: 'a', maxRetries: 0 })).rejects.toThrow('no such model'); // prettier-ignore
  });
});
