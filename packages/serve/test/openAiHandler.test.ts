import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate } from '@dropbp/models';
import { openAiHandler, type HandlerOptions, type OpenAiHandler } from '../src/index.ts';
import { post, postRequest, tinyServed, type Reply, type TinyServed } from './tinyServed.ts';

let tiny: TinyServed;
let served: TinyServed['served'];
let handler: OpenAiHandler;
beforeAll(async () => {
  tiny = await tinyServed();
  served = tiny.served;
  handler = openAiHandler(served, { name: 'base' });
});
afterAll(() => tiny.dispose());

const ask = (path: string, body: unknown, to = handler, headers: Record<string, string> = {}): Promise<Reply> =>
  post(to, path, body, headers);
const other = (options: HandlerOptions): OpenAiHandler => openAiHandler(served, { name: 'base', ...options });

/** What we write ourselves after a text. */
async function own(adapter: string | undefined, text: string, maxNewTokens: number): Promise<string> {
  const tokens: number[] = [];
  const write = async (): Promise<void> => {
    for await (const token of generate(served.tuned, served.tokenizer.encode(text), { maxNewTokens }))
      tokens.push(token);
  };
  if (adapter === undefined) await served.tuned.withoutAdapter(write);
  else {
    served.tuned.useAdapter(adapter);
    await write();
  }
  return served.tokenizer.decode(tokens, { skipSpecialTokens: true });
}

describe('completions', () => {
  it('goes on with a text as generate() does, with usage', async () => {
    const { status, body } = await ask('completions', {
      model: 'one',
      prompt: 'Hello',
      max_tokens: 6,
      temperature: 0,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      object: 'text_completion',
      model: 'one',
      choices: [{ index: 0, text: await own('one', 'Hello', 6), finish_reason: 'length', logprobs: null }],
      usage: { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 },
    });
    expect(body.id).toMatch(/^cmpl-/);
  });

  it('answers the model and its adapters at once, each as if it were alone', async () => {
    const names = ['one', 'base', 'two', 'one', 'whole', 'base'];
    const replies = await Promise.all(
      names.map((model, i) => ask('completions', { model, prompt: `Text ${i}`, max_tokens: 4 + i, temperature: 0 })),
    );
    for (const [i, name] of names.entries()) {
      const expected = await own(name === 'base' ? undefined : name, `Text ${i}`, 4 + i);
      expect(replies[i]!.body.choices[0]!.text, name).toBe(expected);
    }
    expect(new Set(replies.map(({ body }) => body.choices[0]!.text)).size).toBe(6);
  });

  it('ends at a stop sequence, and leaves it out', async () => {
    const text = await own('two', 'Hi', 20);
    const stop = text.slice(3, 5);
    const { body } = await ask('completions', { model: 'two', prompt: 'Hi', max_tokens: 20, temperature: 0, stop: [stop, '##'] }); // prettier-ignore
    expect(body.choices[0]).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finish_reason: 'stop' });
  });

  it('draws the same text for the same seed, in any company', async () => {
    const draw = (seed?: number): Promise<Reply> => ask('completions', { model: 'one', prompt: 'Once', max_tokens: 12, top_p: 0.9, temperature: 1.2, ...(seed !== undefined && { seed }) }); // prettier-ignore
    const [first] = await Promise.all([draw(5), draw(6), draw()]);
    const again = await draw(5);
    expect(again.body.choices).toEqual(first.body.choices);
    expect((await draw(6)).body.choices).not.toEqual(first.body.choices);
  });

  it('takes tokens, and several prompts', async () => {
    const prompt = ['Ab', 'Cde'].map(text => served.tokenizer.encode(text));
    const { body } = await ask('completions', { model: 'base', prompt, max_tokens: 3, temperature: 0 });
    const texts = [await own(undefined, 'Ab', 3), await own(undefined, 'Cde', 3)];
    expect(body.choices.map(({ text }) => text)).toEqual(texts);
    expect(body.usage).toEqual({ prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 });
  });

  it('writes no more than there is room for', async () => {
    const { body } = await ask('completions', {
      model: 'one',
      prompt: 'x'.repeat(60),
      max_tokens: 900,
      temperature: 0,
    });
    expect(body.usage).toMatchObject({ prompt_tokens: 60, completion_tokens: 4 });
  });
});

describe('chats', () => {
  const messages = [{ role: 'developer', content: 'Be' }, { role: 'user', content: [{ type: 'text', text: 'Hi' }] }]; // prettier-ignore
  const request = { model: 'one', messages, max_completion_tokens: 8, temperature: 0 };

  it('writes messages by the chat template', async () => {
    const { status, body } = await ask('chat/completions', request);
    expect(status).toBe(200);
    const content = await own('one', 's:Be\nu:Hi\na:', 8);
    expect(body.choices[0]).toMatchObject({ message: { role: 'assistant', content }, finish_reason: 'length' });
    expect(body.object).toBe('chat.completion');
  });

  it('streams the same text, and usage where it is asked for', async () => {
    const response = await handler.fetch(
      new Request('http://localhost/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
      }),
    );
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const events = (await response.text()).split('\n\n').filter(event => event !== '').map(event => event.replace(/^data: /, '')); // prettier-ignore
    expect(events.at(-1)).toBe('[DONE]');
    const chunks = events.slice(0, -1).map(event => JSON.parse(event) as { choices: { delta: { content?: string; role?: string }; finish_reason: string | null }[]; usage: unknown }); // prettier-ignore
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(await own('one', 's:Be\nu:Hi\na:', 8));
    expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant');
    expect(chunks.at(-2)!.choices[0]!.finish_reason).toBe('length');
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 8 } });
  });

  it('refuses chats of a model without a template', async () => {
    const { model, tuned, tokenizer } = served;
    const { status, body } = await ask('chat/completions', request, openAiHandler({ model, tuned, tokenizer }));
    expect({ status, body }).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining('no chat template') as string } } }); // prettier-ignore
  });
});

describe('embeddings', () => {
  it('gives vectors of length 1, whatever stands beside a text', async () => {
    const input = ['Hello there', 'Hi'];
    const { body } = await ask('embeddings', { model: 'one', input });
    const data = body.data as { embedding: number[] }[];
    expect(data.map(({ embedding }) => embedding.length)).toEqual([32, 32]);
    for (const { embedding } of data) expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
    const { body: alone } = await ask('embeddings', { model: 'one', input: 'Hi', encoding_format: 'base64' });
    const bytes = Buffer.from((alone.data as { embedding: string }[])[0]!.embedding, 'base64');
    for (let i = 0; i < 32; i++) expect(bytes.readFloatLE(4 * i)).toBeCloseTo(data[1]!.embedding[i]!, 4);
    expect(body.usage).toEqual({ prompt_tokens: 13, total_tokens: 13 });
    const { body: plain } = await ask('embeddings', { model: 'base', input: 'Hi' });
    expect((plain.data as { embedding: number[] }[])[0]!.embedding[0]).not.toBeCloseTo(data[1]!.embedding[0]!, 3);
  });

  it('asks an embedder of that name', async () => {
    const embed = (texts: readonly string[]): Promise<number[][]> => Promise.resolve(texts.map(text => [text.length]));
    const with_ = other({ embedders: { lengths: { embed, countTokens: () => 2 } } });
    expect(with_.names).toEqual(['base', 'one', 'two', 'whole', 'lengths']);
    const { body } = await ask('embeddings', { model: 'lengths', input: ['abc', 'de'] }, with_);
    expect(body).toMatchObject({ data: [{ embedding: [3] }, { index: 1, embedding: [2] }], usage: { total_tokens: 4 } }); // prettier-ignore
    expect((await ask('completions', { model: 'lengths', prompt: 'a' }, with_)).status).toBe(404);
    expect(() => other({ embedders: { one: { embed } } })).toThrow("there are two models 'one'");
  });
});

describe('many requests', () => {
  it('refuses those beyond the queue, and answers all others', async () => {
    const small = other({ limits: { queue: 4, batch: 2 } });
    const request = { model: 'one', prompt: 'abc', max_tokens: 2, temperature: 0 };
    const replies = await Promise.all(Array.from({ length: 40 }, () => ask('completions', request, small)));
    const refused = replies.filter(({ status }) => status === 429);
    const answered = replies.filter(({ status }) => status === 200);
    expect(refused.length + answered.length).toBe(40);
    expect(answered.length).toBeGreaterThanOrEqual(4);
    expect(refused[0]!.body).toMatchObject({ error: { type: 'rate_limit_error', code: 'too_many_requests' } });
    expect(new Set(answered.map(({ body }) => body.choices[0]!.text)).size).toBe(1);
  });

  it('lets a short request join a long one, and changes neither text', async () => {
    const long = await handler.fetch(
      postRequest('completions', { model: 'one', prompt: 'L', max_tokens: 60, temperature: 0, stream: true }),
    );
    const events = long.body!.getReader();
    const decoder = new TextDecoder();
    let streamed = decoder.decode((await events.read()).value);
    const ended: string[] = [];
    const short = ask('completions', { model: 'two', prompt: 'Sh', max_tokens: 2, temperature: 0 }).then(reply => {
      ended.push('short');
      return reply;
    });
    for (;;) {
      const { done, value } = await events.read();
      if (done) break;
      streamed += decoder.decode(value);
    }
    ended.push('long');
    expect(ended).toEqual(['short', 'long']);
    expect((await short).body.choices[0]!.text).toBe(await own('two', 'Sh', 2));
    const texts = [...streamed.matchAll(/"text":"((?:[^"\\]|\\.)*)"/g)].map(
      ([, text]) => JSON.parse(`"${text!}"`) as string,
    );
    expect(texts.join('')).toBe(await own('one', 'L', 60));
  });

  it('ends the work of those who leave, waiting or not', async () => {
    const controllers = Array.from({ length: 6 }, () => new AbortController());
    const small = other({ limits: { batch: 2 } });
    const asked = controllers.map(async ({ signal }) => {
      const request = new Request('http://localhost/v1/completions', {
        ...{ method: 'POST', signal, headers: { 'content-type': 'application/json' } },
        body: JSON.stringify({ model: 'one', prompt: 'abc', max_tokens: 50, temperature: 0, stream: true }),
      });
      const response = await small.fetch(request);
      await response.body!.getReader().read();
      return response;
    });
    await asked[0];
    for (const controller of controllers) controller.abort();
    await small.close();
    expect((await ask('completions', { model: 'one', prompt: 'a' }, small)).status).toBe(503);
    await Promise.allSettled(asked);
  });

  it('closes when what it answers has ended, or breaks it off', async () => {
    const patient = other({});
    const request = { model: 'two', prompt: 'abc', max_tokens: 10, temperature: 0 };
    const asked = ask('completions', request, patient);
    await new Promise(resolve => setTimeout(resolve, 1));
    const closed = patient.close();
    expect((await patient.fetch(new Request('http://localhost/v1/models'))).status).toBe(503);
    expect((await asked).status).toBe(200);
    await closed;
    const hasty = other({});
    const long = ask('completions', { ...request, max_tokens: 60 }, hasty);
    await new Promise(resolve => setTimeout(resolve, 1));
    await hasty.close({ graceMs: 0 });
    expect((await long).body).toMatchObject({ error: { code: 'server_ending' } });
  });
});
