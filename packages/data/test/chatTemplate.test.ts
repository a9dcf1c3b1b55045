import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadChatTemplate, type ChatMessage, type ChatTemplate, type ChatTemplateFiles } from '../src/index.ts';
import { dataFiles } from './dataFiles.ts';

const written = dataFiles();
const messages: ChatMessage[] = [
  { role: 'user', content: 'a' },
  { role: 'assistant', content: 'b' },
  { role: 'user', content: 'c' },
  { role: 'assistant', content: 'd ☕' },
];

async function template(source: string, files: ChatTemplateFiles = {}): Promise<ChatTemplate> {
  return (await loadChatTemplate({ ...files, template: source }))!;
}

/** What a template marks, in brackets. */
function marked(of: ChatTemplate, said: readonly ChatMessage[] = messages): string {
  const { text, spans } = of.renderMarked(said);
  return spans.reduceRight(
    (shown, { start, end }) => `${shown.slice(0, start)}[${shown.slice(start, end)}]${shown.slice(end)}`,
    text,
  );
}

describe('loadChatTemplate', () => {
  it('finds the template of a folder: a file of its own counts more than the configuration', async () => {
    await expect(loadChatTemplate('no/such/folder')).rejects.toThrow(
      '[@dropbp/data] there is no folder no/such/folder; expected the folder of a model',
    );
    const config = { bos_token: { content: '<s>' }, chat_template: '{{ bos_token }}from the configuration' };
    const folder = dirname(await written('tokenizer_config.json', JSON.stringify(config)));
    expect((await loadChatTemplate(folder))!.render(messages)).toBe('<s>from the configuration');
    await written('chat_template.jinja', '{{ bos_token }}from a file');
    expect((await loadChatTemplate(folder))!.render(messages)).toBe('<s>from a file');
    await mkdir(`${folder}/additional_chat_templates`);
    await writeFile(`${folder}/additional_chat_templates/rag.jinja`, 'for documents');
    expect((await loadChatTemplate(folder, { name: 'rag' }))!.render(messages)).toBe('for documents');
  });
  it('chooses among several by name, and by whether there are tools', async () => {
    const chat_template = [
      { name: 'default', template: 'plain' },
      { name: 'tool_use', template: 'with {{ tools | length }}' },
      { name: 'other', template: 'other' },
    ];
    const one = (await loadChatTemplate({ config: { chat_template } }))!;
    expect(one.render(messages)).toBe('plain');
    expect(one.render(messages, { tools: [{}, {}] })).toBe('with 2');
    expect((await loadChatTemplate({ config: { chat_template } }, { name: 'other' }))!.render(messages)).toBe('other');
    await expect(loadChatTemplate({ config: { chat_template } }, { name: 'none' })).rejects.toThrow(
      "the model has no chat template named 'none'; expected default, tool_use, other",
    );
  });
  it('gives nothing where the model has none, and refuses what is no template', async () => {
    expect(await loadChatTemplate({ config: {} })).toBeUndefined();
    await expect(loadChatTemplate({ config: { chat_template: 5 } })).rejects.toThrow('is not usable; got 5');
    await expect(loadChatTemplate({ template: '{% if %}' })).rejects.toThrow(
      'the chat template cannot be read (line 1: an expression is expected',
    );
  });
});

describe('render', () => {
  it('gives templates what transformers gives them', async () => {
    const of = await template(
      "{{ messages[0].keys() | join(' ') }} {% if tools is none %}no tools{% endif %} {{ pad_token }} " +
        '{% if unk_token is not defined %}no unk{% endif %} {{ messages[1].thinking }}',
      { config: { pad_token: '<pad>', unk_token: null } },
    );
    const said = [{ role: 'user', content: 'a', weight: 0, name: null }, { role: 'assistant', content: 'b', reasoning: 'hm' }]; // prettier-ignore
    expect(of.render(said)).toBe('role content no tools <pad> no unk hm');
  });
  it('writes the same date whenever it runs', async () => {
    const date = new Date(2024, 6, 4, 15, 7, 9);
    const write = async (format: string): Promise<string> =>
      (await loadChatTemplate({ template: `{{ strftime_now('${format}') }}` }, { date }))!.render(messages);
    expect(await write('%d %b %Y, %A %B %a %y-%m, %H:%M:%S %I %p %%')).toBe(
      '04 Jul 2024, Thursday July Thu 24-07, 15:07:09 03 PM %',
    );
    await expect(write('%q')).rejects.toThrow('strftime_now: %q is not known');
  });
  it('passes on what a template says when it refuses', async () => {
    const of = await template("{{ raise_exception('roles must alternate') }}");
    expect(() => of.render(messages)).toThrow('the chat template refuses the conversation: roles must alternate');
    const broken = await template("{{ messages[9]['role'] + 'x' }}");
    expect(() => broken.render(messages)).toThrow('the chat template cannot write the conversation (');
    const endless = await template('{% for i in range(100000000000) %}x{% endfor %}');
    expect(() => endless.render(messages)).toThrow('range() of 100000000000 numbers');
  });
});

describe('renderMarked', () => {
  it('finds what the template marks, with white space as it is around any block', async () => {
    const of = await template(
      `{%- for m in messages -%}
      {%- if m.role == 'assistant' -%}
        {{- '<a>' }}
        {%- generation %}
        {{- m.content + '<e>' }}
        {%- endgeneration %}
        {{- '\n' -}}
      {%- else %}
        {{- m.content + '<e>\n' }}
      {%- endif %}
      {%- endfor %}`,
    );
    expect(of.marksAnswers).toBe(true);
    expect(marked(of)).toBe('a<e>\n<a>[b<e>]\nc<e>\n<a>[d ☕<e>]\n');
    expect(of.renderMarked(messages).text).toBe(of.render(messages));
  });
  it('keeps lines that blocks stand on out of the text', async () => {
    const of = await template(
      '  {% for m in messages %}\n{% generation %}\n  {{ m.content }}\n{% endgeneration %}\n{% endfor %}\n.',
    );
    expect(marked(of, messages.slice(0, 2))).toBe('[  a\n][  b\n].');
  });
  it('refuses text that holds its marks', async () => {
    const of = await template('{% generation %}{{ messages[0].content }}{% endgeneration %}');
    expect(() => of.renderMarked([{ role: 'user', content: 'a\ufdd0' }])).toThrow('holds U+FDD0 or U+FDD1');
  });
  it('has no spans where the template marks nothing', async () => {
    const of = await template('{{ messages | length }}');
    expect(of.marksAnswers).toBe(false);
    expect(of.renderMarked(messages)).toEqual({ text: '4', spans: [] });
  });
});
