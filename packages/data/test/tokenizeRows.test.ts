import { beforeAll, describe, expect, it } from 'vitest';
import {
  encodePrompt,
  exampleText,
  loadChatTemplate,
  loadTokenizer,
  openDataset,
  tokenizeRows,
  type ChatMessage,
  type ChatTemplate,
  type Dataset,
  type Tokenizer,
  type TokenizedRow,
  type TokenizeRowsOptions,
} from '../src/index.ts';
import { readFixture } from './readFixture.ts';
import { tinyTokenizer } from './tinyTokenizer.ts';

const TURNS = `{% for message in messages %}{{ '<s>' + message.role + '\n' + message.content + '<|end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}`;

let tokenizer: Tokenizer;
let chatTemplate: ChatTemplate;
beforeAll(async () => {
  tokenizer = await tinyTokenizer();
  chatTemplate = (await loadChatTemplate({ template: TURNS }))!;
});

async function tokenized(row: object, options: Partial<TokenizeRowsOptions> = {}): Promise<TokenizedRow> {
  const dataset = await openDataset([row]);
  const rows = tokenizeRows(dataset, { tokenizer, chatTemplate, time: 64, ...options });
  return rows.tokenize((await dataset.read([0]))[0]!);
}

/** What counts, in brackets. */
async function shown(row: object, options: Partial<TokenizeRowsOptions> = {}): Promise<string> {
  const { sequences } = await tokenized(row, options);
  return sequences
    .map(sequence => exampleText(options.tokenizer ?? tokenizer, sequence))
    .map(parts => parts.map(({ text, counts }) => (counts ? `[${text}]` : text)).join(''))
    .join(' | ');
}

const turn = (role: string, content: string, more: object = {}): object => ({ role, content, ...more });

describe('tokenizeRows', () => {
  it('ends texts and completions, and counts what is to be learnt', async () => {
    expect(await shown({ text: 'Once upon' })).toBe('[Once upon<|end|>]');
    expect(await shown({ text: 'Once<|end|>' })).toBe('[Once<|end|>]');
    expect(await shown({ prompt: '1 + 1 =', completion: ' 2' })).toBe('1 + 1 =[ 2<|end|>]');
    expect(await shown({ prompt: '1 + 1 =', completion: ' 2' }, { loss: 'all' })).toBe('[1 + 1 = 2<|end|>]');
  });
  it('puts the tokens around a text that the tokenizer puts there', async () => {
    const llama = await tinyTokenizer('llama3');
    expect(await shown({ text: 'Once upon' }, { tokenizer: llama })).toBe('<s>[Once upon<|end|>]');
    expect(await shown({ prompt: 'a', completion: ' b' }, { tokenizer: llama })).toBe('<s>a[ b<|end|>]');
  });
  it.each(['gpt2', 'gpt2-prefix-space', 'smollm', 'llama3', 'qwen2', 'llama2', 'llama2-metaspace'])(
    'encodes a prompt and its completion apart, word for word: %s',
    async family => {
      const tokenizer = await tinyTokenizer(family);
      const prompts = ['This is the', 'Title: vintage', 'a  ', 'x\n', '\n\n', 'é', '<|end|>'];
      const completions = ['re', 'sport', ' sport', '  two', '\n', '\n\nfoo', 'é ☕', '.', "'s", '12'];
      for (const prompt of prompts) {
        const given = encodePrompt(tokenizer, prompt);
        expect(given).toEqual(tokenizer.encode(prompt));
        for (const completion of completions) {
          const [sequence] = (await tokenized({ prompt, completion }, { tokenizer })).sequences;
          const ids = [...sequence!.ids];
          expect(ids.slice(0, given.length)).toEqual(given);
          expect([...sequence!.labels]).toEqual([...given.map(() => -100), ...ids.slice(given.length)]);
          expect(tokenizer.decode(ids)).toBe(`${tokenizer.decode(given)}${completion}<|end|>`);
          const [all] = (await tokenized({ prompt, completion }, { tokenizer, loss: 'all' })).sequences;
          expect([...all!.ids]).toEqual(ids);
        }
      }
    },
  );
  it('learns a completion without a prompt as a text', async () => {
    const tokenizer = await tinyTokenizer('llama2');
    const bare = await tokenized({ prompt: '', completion: 'sport' }, { tokenizer });
    expect(bare).toEqual(await tokenized({ text: 'sport' }, { tokenizer }));
    expect(encodePrompt(tokenizer, '')).toEqual([tokenizer.idOf('<s>')]);
  });
  it('gives no token that stands behind a text to a prompt', async () => {
    const { tokenizer: json } = readFixture().llama2!;
    const END = (await tinyTokenizer('llama2')).idOf('<|end|>')!;
    const closing = { SpecialToken: { id: '<|end|>', type_id: 0 } };
    const { post_processor } = json as { post_processor: { single: object[]; special_tokens: object } };
    const ends = await loadTokenizer({
      tokenizer: { ...json, post_processor: { ...post_processor, single: [...post_processor.single, closing],
        special_tokens: { ...post_processor.special_tokens, '<|end|>': { id: '<|end|>', ids: [END], tokens: ['<|end|>'] } } } },
      config: { eos_token: '<|end|>' },
    }); // prettier-ignore
    const given = encodePrompt(ends, 'a');
    expect([...given, END]).toEqual(ends.encode('a'));
    const [sequence] = (await tokenized({ prompt: 'a', completion: ' b' }, { tokenizer: ends })).sequences;
    expect([...sequence!.ids.slice(0, given.length)]).toEqual(given);
    expect([...sequence!.ids].filter(id => id === END)).toHaveLength(1);
  });
  it.each(['gpt2-prefix-space', 'smollm', 'qwen2', 'llama2', 'llama2-metaspace'])(
    'encodes an answer apart where a token would reach over its start: %s',
    async family => {
      const tokenizer = await tinyTokenizer(family);
      const template = (await loadChatTemplate({
        template: `{% for m in messages %}{{ m.role + ':\n' + m.content + '\n' }}{% endfor %}
        {%- if add_generation_prompt %}{{ 'assistant:\n' }}{% endif %}`,
      }))!;
      for (const answer of ['\n\nfoo', '  foo', 'foo', '\n', 'é', '.']) {
        const messages = [turn('user', 'the'), turn('assistant', answer)] as ChatMessage[];
        const [sequence] = (await tokenized({ messages }, { tokenizer, chatTemplate: template })).sequences;
        const text = template.render(messages.slice(0, 1), { addGenerationPrompt: true });
        const given = tokenizer.encode(text, { addSpecialTokens: false });
        expect([...sequence!.ids.slice(0, given.length)]).toEqual(given);
        expect([...sequence!.labels].findIndex(label => label !== -100)).toBe(given.length);
        expect(tokenizer.decode(sequence!.ids.slice(given.length)).trim()).toBe(`${answer}\n<|end|>`.trim());
      }
    },
  );
  it('ends the last answer where the template does not', async () => {
    const chatTemplate = (await loadChatTemplate({
      template: `{% for m in messages %}{{ m.role[0] + ': ' + m.content + '\n' }}{% endfor %}
      {%- if add_generation_prompt %}{{ 'a:' }}{% endif %}`,
    }))!;
    const messages = [turn('user', 'a'), turn('assistant', 'b'), turn('user', 'c'), turn('assistant', 'd')];
    expect(await shown({ messages }, { chatTemplate })).toBe('u: a\na:[ b\n]u: c\na:[ d\n<|end|>]');
    expect(await shown({ messages }, { chatTemplate, loss: 'all' })).toBe('[u: a\na: b\nu: c\na: d\n<|end|>]');
    const unlearned = [...messages.slice(0, 3), turn('assistant', 'd', { weight: 0 })];
    expect(await shown({ messages: unlearned }, { chatTemplate })).toBe('u: a\na:[ b\n]u: c\na: d\n');
    expect(await shown({ messages: messages.slice(0, 3) }, { chatTemplate })).toBe('u: a\na:[ b\n]u: c\n');
    const marked = (await loadChatTemplate({
      template: `{% for m in messages %}{{ m.role[0] + ':' }}{% generation %}{{ m.content if m.role == 'assistant' }}{% endgeneration %}
      {{- m.content if m.role == 'user' }}{{ '<|end|>' }}{% endfor %}`,
    }))!;
    expect(await shown({ messages: messages.slice(0, 2) }, { chatTemplate: marked })).toBe('u:a<|end|>a:[b<|end|>]');
  });
  it('counts all answers of a conversation, the last one, or everything', async () => {
    const messages = [turn('user', 'a'), turn('assistant', 'b c'), turn('user', 'd'), turn('assistant', 'é')];
    expect(await shown({ messages })).toBe(
      '<s>user\na<|end|>\n<s>assistant\n[b c<|end|>\n]<s>user\nd<|end|>\n<s>assistant\n[é<|end|>\n]',
    );
    expect(await shown({ messages }, { loss: 'lastAnswer' })).toBe(
      '<s>user\na<|end|>\n<s>assistant\nb c<|end|>\n<s>user\nd<|end|>\n<s>assistant\n[é<|end|>\n]',
    );
    expect(await shown({ messages }, { loss: 'all' })).toMatch(/^\[<s>user.*\]$/s);
    const weighed = [
      turn('user', 'a'),
      turn('assistant', 'b', { weight: 0 }),
      turn('user', 'd'),
      turn('assistant', 'e'),
    ];
    expect(await shown({ messages: weighed })).toBe(
      '<s>user\na<|end|>\n<s>assistant\nb<|end|>\n<s>user\nd<|end|>\n<s>assistant\n[e<|end|>\n]',
    );
  });
  it('cuts, splits or leaves out what is too long, and says so', async () => {
    const long = { prompt: 'a', completion: ' b'.repeat(20) };
    expect((await tokenized(long, { time: 10 })).sequences[0]!.ids).toHaveLength(10);
    expect(await tokenized(long, { time: 10 })).toMatchObject({ cutTokens: 12, withoutLabels: 0 });
    expect(await tokenized(long, { time: 10, tooLong: 'leaveOut' })).toEqual({
      sequences: [],
      cutTokens: 22,
      withoutLabels: 0,
    });
    const { sequences } = await tokenized(long, { time: 10, tooLong: 'split' });
    expect(sequences.map(({ ids }) => ids.length)).toEqual([10, 10, 2]);
    const text = await tokenized({ text: ' b'.repeat(20) }, { time: 10 });
    expect(text.sequences.map(({ ids }) => ids.length)).toEqual([10, 10]); // the end alone has nothing to be predicted from
    expect(text).toMatchObject({ cutTokens: 0, withoutLabels: 1 });
    const asked = { prompt: ' a'.repeat(20), completion: 'b' };
    expect(await tokenized(asked, { time: 10 })).toEqual({ sequences: [], cutTokens: 12, withoutLabels: 1 });
  });
  it('names the place of a conversation that the template refuses', async () => {
    const strict = await loadChatTemplate({
      template: "{% if messages[0].role == 'system' %}{{ raise_exception('no system, please') }}{% endif %}",
    });
    await expect(tokenized({ messages: [turn('system', 'a')] }, { chatTemplate: strict })).rejects.toThrow(
      '[@dropbp/data] the list, row 1: the chat template refuses the conversation: no system, please; got [{"role":',
    );
  });
  it('finds no answers in a template that rewrites what was said, and says what to do', async () => {
    const forgetful = await loadChatTemplate({
      template: `{% for message in messages %}{{ '<s>' + message.role + '\n' + (message.content if loop.last else '…') + '<|end|>' }}
      {%- endfor %}{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}`,
    });
    const messages = [turn('user', 'a'), turn('assistant', 'b'), turn('user', 'c'), turn('assistant', 'd')];
    await expect(tokenized({ messages }, { chatTemplate: forgetful })).rejects.toThrow(
      /writes a conversation otherwise once it goes on, so that answer 2 cannot be found.*loss: 'lastAnswer'/,
    );
    expect(await shown({ messages }, { chatTemplate: forgetful, loss: 'all' })).toContain('d<|end|>');
  });
  it('refuses promises, whose await was forgotten', async () => {
    const opening = openDataset([{ text: 'a' }]);
    expect(() => tokenizeRows(opening as unknown as Dataset, { tokenizer, time: 8 })).toThrow(
      'tokenizeRows(): the data set is not usable; got {}; expected what openDataset() gives; it needs an await',
    );
    const template = loadChatTemplate({ template: TURNS }) as unknown as ChatTemplate;
    expect(() => tokenizeRows({} as Dataset, { tokenizer, time: 8 })).toThrow('the data set is not usable');
    await expect(tokenized({ text: 'a' }, { chatTemplate: template })).rejects.toThrow(
      'chatTemplate is not usable; got {}; expected what loadChatTemplate() gives; it needs an await',
    );
  });
  it('refuses a tokenizer that changes a text where it puts tokens around it', async () => {
    const odd: Tokenizer = {
      ...tokenizer,
      encode: (_, options) => (options?.addSpecialTokens === false ? [5] : [1, 6]),
    };
    await expect(tokenized({ text: 'a' }, { tokenizer: odd })).rejects.toThrow(
      'writes a text with other tokens when it adds special ones; got [1,6]; expected 5 and what is put around them',
    );
  });
  it('refuses options that are not usable', async () => {
    const dataset = await openDataset([{ messages: [turn('user', 'a')] }]);
    const make = (options: object): unknown => tokenizeRows(dataset, { tokenizer, chatTemplate, time: 8, ...options });
    expect(() => make({ chatTemplate: undefined })).toThrow('there is no chat template to write them');
    expect(() => make({ time: 1 })).toThrow('time is not usable; got 1; expected an integer ≥ 2');
    expect(() => make({ loss: 'some' })).toThrow(
      "loss is not usable; got \"some\"; expected 'answers', 'lastAnswer', 'all'",
    );
    expect(() => make({ tooLong: 'cut' })).toThrow('tooLong is not usable');
    expect(() => make({ template: 1 })).toThrow("did you mean 'chatTemplate'");
  });
});
