import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataset, readPrompts, recognizeFormat, type ReadPromptsOptions, type RowPrompt } from '../src/index.ts';

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'dropbp-prompts-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const write = (name: string, ...rows: object[]): string => {
  const path = join(folder, name);
  writeFileSync(path, rows.map(row => `${JSON.stringify(row)}\n`).join(''));
  return path;
};
async function asked(rows: object[], options?: ReadPromptsOptions): Promise<RowPrompt[]> {
  const found: RowPrompt[] = [];
  for await (const { ask } of readPrompts(write('rows.jsonl', ...rows), options)) found.push(ask);
  return found;
}
const [user, assistant] = ['user', 'assistant'].map(role => (content: string) => ({ role, content })) as [
  (content: string) => object,
  (content: string) => object,
];

describe('readPrompts', () => {
  it('reads prompts, with and without what follows them', async () => {
    expect(
      await asked([{ prompt: 'a' }, { prompt: 'b', completion: ' c' }, { prompt: 'd', completion: null }]),
    ).toEqual([
      { kind: 'text', prompt: 'a' },
      { kind: 'text', prompt: 'b', reference: ' c' },
      { kind: 'text', prompt: 'd' },
    ]);
    expect(await asked([{ q: 'a', a: 'b' }], { columns: { prompt: 'q', completion: 'a' } })).toEqual([
      { kind: 'text', prompt: 'a', reference: 'b' },
    ]);
    expect(await asked([{ text: 'Once' }])).toEqual([{ kind: 'text', prompt: 'Once' }]);
  });
  it('reads Alpaca rows with the prompt of training', async () => {
    const row = { instruction: 'Add', input: '1 2', output: '3' };
    const [ask] = await asked([row]);
    const dataset = await openDataset([row]);
    const { sample } = (await dataset.read([0]))[0]!;
    expect(ask).toEqual({ kind: 'text', prompt: (sample as { prompt: string }).prompt, reference: '3' });
    expect(await asked([{ instruction: 'Add' }])).toHaveLength(1);
  });
  it('answers the last turn of a conversation; an answer behind it is the reference', async () => {
    const talk = [user('a'), assistant('b'), user('c')];
    const expected = { kind: 'chat', messages: talk };
    expect(await asked([{ messages: talk }, { messages: [...talk, assistant('d')] }])).toEqual([
      expected,
      { ...expected, reference: 'd' },
    ]);
    const parts = { role: 'assistant', content: [{ type: 'text', text: 'd' }, { type: 'text', text: 'e' }] }; // prettier-ignore
    expect(await asked([{ conversations: [...talk, parts] }])).toEqual([{ ...expected, reference: 'de' }]);
    expect(await asked([{ prompt: [user('a')], completion: [assistant('b')] }])).toEqual([
      { kind: 'chat', messages: [user('a')], reference: 'b' },
    ]);
    for (const messages of [[assistant('b')], [user('a'), assistant('b'), assistant('c')], [{ role: 'system', content: 's' }]]) {
      await expect(asked([{ messages: talk }, { messages }])).rejects.toThrow(
        /rows\.jsonl, line 2: the conversation holds no question to answer/,
      );
    } // prettier-ignore
  });
  it('refuses rows that ask nothing, and running text', async () => {
    await expect(asked([{ id: 1 }])).rejects.toThrow(
      /line 1: no format that is known fits these columns; got \["id"\]/,
    );
    await expect(asked([{ prompt: 'a' }, { prompt: 3 }])).rejects.toThrow(/line 2: 'prompt' is no text/);
    await expect(asked([], { template: '{a' })).resolves.toEqual([]);
    writeFileSync(join(folder, 'text.txt'), 'One\nTwo\n');
    await expect(readPrompts(join(folder, 'text.txt')).next()).rejects.toThrow('holds one running text, not prompts');
  });
});

describe('a template', () => {
  const rows = [
    { title: 'Two lighthouses', category: 'sea', id: 1 },
    { title: 'vintage', category: 'sport', id: 2 },
  ];
  const template = 'Title: {title}\nCategory:';
  const sampleOf = async (row: object, options: object) => {
    const dataset = await openDataset([row], options);
    return (await dataset.read([0]))[0]!.sample;
  };

  it('makes prompts from columns, with a space where neither side has white space', async () => {
    const options = { template, columns: { completion: 'category' } };
    expect(await sampleOf(rows[1]!, options)).toEqual({
      kind: 'completion',
      prompt: 'Title: vintage\nCategory:',
      completion: ' sport',
    });
    const spaced = { ...options, template: 'Title: {title}\n' };
    expect(await sampleOf(rows[1]!, spaced)).toMatchObject({ completion: 'sport' });
    expect(await sampleOf({ title: 'a', category: ' b' }, options)).toMatchObject({ completion: ' b' });
    const [ask] = await asked(rows, options);
    expect(ask).toEqual({
      kind: 'text',
      prompt: 'Title: Two lighthouses\nCategory:',
      hasGap: true,
      reference: 'sea',
    });
    expect(await asked([{ title: 'x' }], { template })).toEqual([
      { kind: 'text', prompt: 'Title: x\nCategory:', hasGap: true },
    ]);
  });
  it('takes the only other column as what follows, and says so', () => {
    const { explanation, columns } = recognizeFormat({ title: 'a', category: 'b' }, { template });
    expect(columns).toEqual({ completion: 'category' });
    expect(explanation).toBe(
      String.raw`Each row is a prompt by the template "Title: {title}\nCategory:", and 'category' follows it (completion).`,
    );
    expect(recognizeFormat({ title: 'a', completion: 'b', id: 1 }, { template }).columns).toEqual({
      completion: 'completion',
    });
    expect(() => recognizeFormat(rows[0]!, { template })).toThrow(
      /no column is known to hold what follows the template; got \["title","category","id"\].*columns: \{ completion: 'category' \}/,
    ); // prettier-ignore
  });
  it('takes doubled braces as text, and numbers as they are written', async () => {
    const options = { template: '{{"n": {n}, "t": {t}}}\n', columns: { completion: 'c' } };
    expect(await sampleOf({ n: 3, t: true, c: 7 }, options)).toEqual({
      kind: 'completion',
      prompt: '{"n": 3, "t": true}\n',
      completion: '7',
    });
  });
  it.each([
    ['Title: {titel}\n', "template: there is no column 'titel'; expected one of 'title', 'category', 'id'; did you mean '{title}'?"],
    ['Title: {title', 'template is not usable; got "{title"; expected a column between braces, and braces that are text written twice'],
    ['Title: title}', 'template is not usable; got "}"'],
    ['Title: {}', 'template is not usable; got "{}"'],
    ['Title', 'template is not usable; got "Title"; expected a column between braces'],
    [3, 'template is not usable; got 3'],
  ])('refuses %j', async (text, message) => {
    await expect(openDataset(rows, { template: text as string, columns: { completion: 'category' } })).rejects.toThrow(message);
  }); // prettier-ignore
  it('refuses what does not go with it, and rows that cannot fill it', async () => {
    await expect(openDataset(rows, { template, format: 'chat' })).rejects.toThrow('which is not the format that is asked for');
    await expect(openDataset(rows, { template, columns: { prompt: 'title' } })).rejects.toThrow('prompt');
    await expect(openDataset(rows, { template, columns: { completion: 'kind' } })).rejects.toThrow("there is no column 'kind'");
    const some = [rows[0]!, { title: null, category: 'x', id: 3 }];
    const options = { template, columns: { completion: 'category' } };
    await expect(openDataset(some, options)).rejects.toThrow("row 2: 'title' is empty; expected a text or a number");
    await expect(openDataset([{ ...rows[0]!, title: ['a'] }], options)).rejects.toThrow("'title' is not a text");
  }); // prettier-ignore
});
