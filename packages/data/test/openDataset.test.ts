import { appendFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { openDataset, readRows, type Dataset, type Sample } from '../src/index.ts';
import { dataFiles } from './dataFiles.ts';

const written = dataFiles();

async function samples(dataset: Dataset): Promise<Sample[]> {
  const found: Sample[] = [];
  for await (const row of dataset.rows()) found.push(row.sample);
  return found;
}

/** The name of a file in a message, without its folder. */
function bare(message: string): string {
  return message.replace(/\/\S*\//g, '');
}

async function problemOf(opening: Promise<unknown>): Promise<string> {
  return opening.then(
    () => 'no problem',
    (error: unknown) => bare((error as Error).message),
  );
}

const text = (value: string): Sample => ({ kind: 'text', text: value });

describe('JSON Lines', () => {
  it('gives the rows, in any order', async () => {
    const path = await written('a.jsonl', '{"text":"one"}\n\n{"text":"zwölf ☕"}\r\n{"text":"three"}');
    const dataset = await openDataset(path);
    expect(dataset.length).toBe(3);
    expect(await samples(dataset)).toEqual(['one', 'zwölf ☕', 'three'].map(text));
    const rows = await dataset.read([2, 0]);
    expect(rows.map(({ index, sample }) => ({ index, sample }))).toEqual([
      { index: 2, sample: text('three') },
      { index: 0, sample: text('one') },
    ]);
    expect(bare(rows[0]!.place)).toBe('a.jsonl, line 4');
    expect(bare(dataset.explanation)).toBe(
      "a.jsonl: JSON Lines, by its ending .jsonl; 3 rows. Each row is a text (text), because there is a column 'text'.",
    );
  });
  it('reads lines that cross the pieces in which the file is read', async () => {
    const long = Array.from({ length: 5 }, (_, i) => `${i}`.repeat(400_000 + i));
    const dataset = await openDataset(
      await written('long.jsonl', long.map(t => JSON.stringify({ text: t })).join('\n')),
    );
    expect(await samples(dataset)).toEqual(long.map(text));
  });
  it('names file, line and reason of a row that cannot be used', async () => {
    const good = '{"prompt":"a","completion":"b"}\n';
    const problem = async (line: string | Uint8Array): Promise<string> =>
      problemOf(openDataset(await written('bad.jsonl', Buffer.concat([Buffer.from(good), Buffer.from(line)]))));
    expect(await problem('{"prompt":"a"')).toMatch(
      /^\[@dropbp\/data\] bad\.jsonl, line 2: the line is no JSON \(.*\); got/,
    );
    expect(await problem('[1]')).toBe(
      '[@dropbp/data] bad.jsonl, line 2: the line is no object; got [1]; expected an object with the columns of the row; ' +
        "mend the row, or leave such rows out with badRows: 'skip'.",
    );
    expect(await problem('{"prompt":"a","completion":7}')).toContain(
      "line 2: 'completion' is no text; got 7; expected a string",
    );
    expect(await problem('{"prompt":"a"}')).toContain("line 2: the row has no 'completion'");
    expect(await problem('{"prompt":"a","completion":""}')).toContain("line 2: 'completion' is empty");
    expect(await problem('{"prompt":"a","completion":"\\ud800"}')).toContain('holds half a character');
    expect(await problem(Uint8Array.of(0xff, 0xfe))).toContain('line 2: the line is no text; expected UTF-8');
  });
  it('skips and counts them on request', async () => {
    const lines = ['{"text":"a"}', 'oops', '{"text":"b"}', '{"text":5}', '{"text":"c"}'];
    const dataset = await openDataset(await written('some.jsonl', lines.join('\n')), { badRows: 'skip' });
    expect(await samples(dataset)).toEqual(['a', 'b', 'c'].map(text));
    expect((await dataset.read([2, 1])).map(({ place }) => bare(place))).toEqual([
      'some.jsonl, line 5',
      'some.jsonl, line 3',
    ]);
    expect(dataset.skipped.count).toBe(2);
    expect(dataset.skipped.first.map(({ message }) => bare(message))[1]).toContain(
      "some.jsonl, line 4: 'text' is no text",
    );
    expect(dataset.explanation).toContain('3 rows, and 2 that are left out');
  });
  it('refuses files that hold nothing, or something else', async () => {
    expect(await problemOf(openDataset(await written('empty.jsonl', '')))).toBe(
      '[@dropbp/data] empty.jsonl holds no rows.',
    );
    expect(await problemOf(openDataset(await written('x.jsonl', 'a\nb\n'), { badRows: 'skip' }))).toBe(
      '[@dropbp/data] x.jsonl holds no rows; got "2 bad ones".',
    );
    expect(await problemOf(openDataset(await written('u.jsonl', Buffer.from('\ufeff{}', 'utf16le'))))).toContain(
      'u.jsonl is UTF-16',
    );
    expect(await problemOf(openDataset(await written('y.jsonl', '{"a":"b"}\n')))).toContain(
      'y.jsonl: no format that is known fits these columns; got ["a"]',
    );
    expect(await problemOf(openDataset('none.jsonl'))).toBe('[@dropbp/data] there is no file none.jsonl.');
    expect(await problemOf(openDataset(await written('x.dat', 'a')))).toContain('does not say what kind of file it is');
    expect(await problemOf(openDataset(await written('x.constructor', 'a')))).toContain(
      'does not say what kind of file',
    );
  });
  it('notices that a file has changed since', async () => {
    const path = await written('changing.jsonl', '{"text":"a"}\n');
    const dataset = await openDataset(path);
    await appendFile(path, '{"text":"b"}\n');
    expect(await problemOf(dataset.read([0]))).toContain('changing.jsonl changed after it was opened');
  });
  it('reads compressed files', async () => {
    const dataset = await openDataset(await written('a.jsonl.gz', gzipSync('{"text":"one"}\n{"text":"two"}\n')));
    expect(await samples(dataset)).toEqual(['one', 'two'].map(text));
    const cut = gzipSync('{"text":"one"}\n'.repeat(100)).subarray(0, 30);
    expect(await problemOf(openDataset(await written('cut.jsonl.gz', cut)))).toContain('is a damaged gzip file');
  });
});

describe('JSON', () => {
  it('reads a list, and an object with one list', async () => {
    const rows = [{ text: 'a' }, { text: 'b' }];
    expect(await samples(await openDataset(await written('list.json', JSON.stringify(rows))))).toEqual(
      ['a', 'b'].map(text),
    );
    const dataset = await openDataset(await written('object.json', JSON.stringify({ version: 1, data: rows })));
    expect(await samples(dataset)).toEqual(['a', 'b'].map(text));
    expect(dataset.explanation).toContain("by its ending .json, its list 'data'; 2 rows");
  });
  it('names the row', async () => {
    const path = await written('bad.json', JSON.stringify([{ text: 'a' }, { text: null }]));
    expect(await problemOf(openDataset(path))).toContain("bad.json, row 2: 'text' is no text; got null");
    expect(await problemOf(openDataset(await written('no.json', '{"a":[{}],"b":[{}]}')))).toContain(
      "give one of 'a', 'b' a file",
    );
    expect(await problemOf(openDataset(await written('lines.json', '{"text":"a"}\n{"text":"b"}')))).toContain(
      'name it .jsonl',
    );
  });
});

describe('CSV', () => {
  it('reads quoted fields, line breaks and quotes in them', async () => {
    const content = 'prompt,completion\r\n"a, b","say ""hi""\nthere"\r\nplain,text\n';
    const dataset = await openDataset(await written('a.csv', content));
    expect(await samples(dataset)).toEqual([
      { kind: 'completion', prompt: 'a, b', completion: 'say "hi"\nthere' },
      { kind: 'completion', prompt: 'plain', completion: 'text' },
    ]);
    expect(bare((await dataset.read([1]))[0]!.place)).toBe('a.csv, line 4');
  });
  it('recognises tabs and semicolons', async () => {
    const tabs = await openDataset(await written('a.tsv', 'instruction\toutput\nadd, please\tb\n'));
    expect(tabs.explanation).toContain('CSV, by its ending .tsv, parted by tabs');
    const semicolons = await openDataset(await written('b.csv', '\ufeffprompt;completion\n"a;b";c\n'));
    expect(await samples(semicolons)).toEqual([{ kind: 'completion', prompt: 'a;b', completion: 'c' }]);
  });
  it('reads conversations that are JSON in a column', async () => {
    const messages = [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }]; // prettier-ignore
    const cell = JSON.stringify(messages).replaceAll('"', '""');
    const dataset = await openDataset(await written('chat.csv', `id,messages\n1,"${cell}"\n`));
    expect(await samples(dataset)).toEqual([{ kind: 'chat', messages }]);
    expect(dataset.explanation).toContain("Not read: 'id'");
  });
  it('names line and reason', async () => {
    const problem = async (rows: string): Promise<string> =>
      problemOf(openDataset(await written('bad.csv', `prompt,completion\na,b\n${rows}`)));
    expect(await problem('a,b,c\n')).toContain(
      'bad.csv, line 3: the row has another number of fields than the first line; got 3',
    );
    expect(await problem('a,b"c\n')).toContain('line 3: a quote stands inside of a field that does not begin with one');
    expect(await problem('a,"b"c\n')).toContain('line 3: something stands behind the quote that ends a field');
    expect(await problem('a,"b\nc,d\n')).toContain('line 3: a quote is never closed, so that the rest of the file');
    expect(await problemOf(openDataset(await written('head.csv', 'a,,b\n')))).toContain('does not name the columns');
  });
});

describe('plain text', () => {
  it('is one text in pieces that end with lines', async () => {
    const content = Array.from({ length: 2000 }, (_, i) => `Line ${i}: naïve ☕ words.`).join('\n');
    const dataset = await openDataset(await written('a.txt', content));
    const pieces = (await samples(dataset)) as { text: string; begins: boolean; ends: boolean }[];
    expect(pieces.length).toBeGreaterThan(8);
    expect(pieces.map(piece => piece.text).join('')).toBe(content);
    expect(pieces.slice(0, -1).every(piece => piece.text.endsWith('\n'))).toBe(true);
    expect(pieces.map(({ begins, ends }) => [begins, ends])).toEqual(
      pieces.map((_, i) => [i === 0, i === pieces.length - 1]),
    );
    expect((await dataset.read([3]))[0]!.sample).toEqual(pieces[3]);
  });
  it('is never cut inside of a character', async () => {
    for (const character of ['é', '☕', '😀', 'a']) {
      const content = character.repeat(7000);
      const dataset = await openDataset(await written('one line.txt', content));
      const pieces = (await samples(dataset)) as { text: string }[];
      expect(pieces.map(piece => piece.text).join('')).toBe(content);
    }
  });
});

describe('Parquet', () => {
  const columns = (n: number): Parameters<typeof parquetWriteBuffer>[0]['columnData'] => [
    { name: 'prompt', data: Array.from({ length: n }, (_, i) => `prompt ${i}`), type: 'STRING' },
    { name: 'completion', data: Array.from({ length: n }, (_, i) => `☕ ${i % 7}`), type: 'STRING' },
    { name: 'score', data: Array.from({ length: n }, (_, i) => i / 3), type: 'DOUBLE' },
  ];
  it('reads row groups, in any order', async () => {
    const bytes = parquetWriteBuffer({ columnData: columns(50), rowGroupSize: 20 });
    const dataset = await openDataset(await written('a.parquet', new Uint8Array(bytes)));
    expect(dataset.length).toBe(50);
    expect(dataset.blocks).toEqual([0, 20, 40]);
    expect((await samples(dataset))[49]).toEqual({ kind: 'completion', prompt: 'prompt 49', completion: '☕ 0' });
    const rows = await dataset.read([45, 3, 21]);
    expect(rows.map(({ sample }) => (sample as { prompt: string }).prompt)).toEqual([
      'prompt 45',
      'prompt 3',
      'prompt 21',
    ]);
    expect(bare(rows[0]!.place)).toBe('a.parquet, row 46');
    expect(dataset.explanation).toContain("Not read: 'score'");
  });
  it.each(readdirSync(new URL('fixtures/parquet', import.meta.url)))('reads %s as pyarrow wrote it', async name => {
    const dataset = await openDataset(fileURLToPath(new URL(`fixtures/parquet/${name}`, import.meta.url)));
    expect(dataset.length).toBe(40);
    expect(dataset.blocks).toEqual([0, 16, 32]);
    const turns = (i: number): object[] =>
      Array.from({ length: 1 + (i % 3) }, (_, turn) => [
        { role: 'user', content: `Question ${i}.${turn}: naïve ☕?` },
        i === 5
          ? { role: 'assistant', tool_calls: ['look(1)', 'look(2)'] }
          : { role: 'assistant', content: `Answer ${i}.${turn}` },
      ]).flat();
    expect(await samples(dataset)).toEqual(
      Array.from({ length: 40 }, (_, i) => ({ kind: 'chat', messages: turns(i) })),
    );
  });
  it('has numbers where a file has 64-bit integers, as in a table of messages', async () => {
    const message = (role: string, content: string, weight: bigint): object => ({ role, content, weight });
    const data = [[message('user', 'a', 1n), message('assistant', 'b', 0n), message('assistant', 'c', 1n)]];
    const field = (name: string, type: 'BYTE_ARRAY' | 'INT64'): SchemaElement => ({
      ...{ name, type, repetition_type: 'OPTIONAL' },
      ...(type === 'BYTE_ARRAY' && { converted_type: 'UTF8' }),
    });
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 1 },
      { name: 'messages', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'OPTIONAL', num_children: 3 },
      ...[field('role', 'BYTE_ARRAY'), field('content', 'BYTE_ARRAY'), field('weight', 'INT64')],
    ];
    const file = new File([parquetWriteBuffer({ columnData: [{ name: 'messages', data }], schema })], 'a.parquet');
    const messages = [
      { role: 'user', content: 'a', weight: 1 },
      { role: 'assistant', content: 'b', weight: 0 },
      { role: 'assistant', content: 'c', weight: 1 },
    ];
    expect(await samples(await openDataset(file))).toEqual([{ kind: 'chat', messages }]);
  });
  it('keeps an integer that no number holds', async () => {
    const data = [7n, 2n ** 53n, null];
    const file = new File(
      [parquetWriteBuffer({ columnData: [{ name: 'n', data, type: 'INT64', nullable: true }] })],
      'a.parquet',
    );
    const found: unknown[] = [];
    for await (const { value } of readRows(file)) found.push(value.n);
    expect(found).toEqual([7, 2n ** 53n, null]);
  });
  it('notices that a file has changed since', async () => {
    const bytes = parquetWriteBuffer({ columnData: columns(50), rowGroupSize: 10 });
    const path = await written('changing.parquet', new Uint8Array(bytes));
    const dataset = await openDataset(path);
    await appendFile(path, 'more');
    expect(await problemOf(dataset.read([0]))).toMatch(
      /^\[@dropbp\/data\] changing\.parquet changed after it was opened/,
    );
  });
  it('says that a file is damaged', async () => {
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData: columns(50) }));
    expect(await problemOf(openDataset(await written('cut.parquet', bytes.subarray(0, 300))))).toContain(
      'cut.parquet is no Parquet file that can be read',
    );
    const zeroed = bytes.slice().fill(0xff, 60, 200);
    expect(await problemOf(openDataset(await written('zeroed.parquet', zeroed)))).toContain(
      'zeroed.parquet is no Parquet file',
    );
  });
});

describe('rows from code', () => {
  it('takes lists', async () => {
    const dataset = await openDataset([{ text: 'a' }, { text: 'b' }]);
    expect(dataset.length).toBe(2);
    expect(await samples(dataset)).toEqual(['a', 'b'].map(text));
    expect(await problemOf(openDataset([{ text: 'a' }, 'x.jsonl'] as object[]))).toContain(
      'the data are files and rows',
    );
    expect(await problemOf(openDataset([{ text: 'a' }, null] as object[]))).toContain('row 2: this is no object');
  });
  it('takes iterables that can be gone through again', async () => {
    // eslint-disable-next-line @typescript-eslint/require-await -- whoever makes rows mostly waits for them
    async function* rows(): AsyncGenerator<object> {
      for (let i = 0; i < 5; i++) yield i === 2 ? { oops: i } : { text: `${i}` };
    }
    const dataset = await openDataset(rows, { badRows: 'skip' });
    expect(dataset.length).toBeUndefined();
    expect(await samples(dataset)).toEqual(['0', '1', '3', '4'].map(text));
    expect(await samples(dataset)).toHaveLength(4);
    expect(dataset.skipped.count).toBe(1);
    expect((await dataset.read([4, 1])).map(row => row.sample)).toEqual(['4', '1'].map(text));
    expect(await problemOf(openDataset(rows()))).toContain('give a function that makes it');
    expect(await problemOf(samples(await openDataset(rows)))).toContain("the stream, row 3: the row has no 'text'");
  });
  it('says what it takes', async () => {
    for (const source of [undefined, null, 7, {}, new Set([{ text: 'a' }])]) {
      expect(await problemOf(openDataset(source as string))).toMatch(
        /openDataset\(\): the source is not usable; got .+; expected the path of a file, a Blob/,
      );
    }
    const columns = null as unknown as Record<string, string>;
    expect(await problemOf(openDataset([{ text: 'a' }], { columns }))).toContain('columns is not usable; got null');
  });
  it('refuses streams that are over once they were gone through', async () => {
    const web = new Blob(['{"text":"a"}']).stream();
    for (const stream of [web, Readable.from([{ text: 'a' }])]) {
      expect(await problemOf(openDataset(stream as AsyncIterable<unknown>))).toContain('give a function that makes it');
    }
  });
  it('takes several files, and Blobs', async () => {
    const first = await written('1.jsonl', '{"text":"a"}\n{"text":"b"}\n');
    const second = new File(['{"text":"c"}\n'], '2.jsonl');
    const dataset = await openDataset([first, second]);
    expect(await samples(dataset)).toEqual(['a', 'b', 'c'].map(text));
    expect((await dataset.read([2, 0])).map(row => bare(row.place))).toEqual(['2.jsonl, line 1', '1.jsonl, line 1']);
  });
  it('says which columns there are in several files of Parquet', async () => {
    const columnData = [{ name: 'question', data: ['a'] }];
    const files = ['1', '2'].map(name => new File([parquetWriteBuffer({ columnData })], `${name}.parquet`));
    expect(await problemOf(openDataset(files))).toContain(
      'no format that is known fits these columns; got ["question"]',
    );
  });
  it('keeps rows together only where they are decoded together', async () => {
    const lines = (name: string): File => new File(['{"text":"a"}\n{"text":"b"}\n{"text":"c"}\n'], name);
    const columnData = [{ name: 'text', data: ['a', 'b', 'c', 'd'] }];
    const table = new File([parquetWriteBuffer({ columnData, rowGroupSize: 2 })], '2.parquet');
    expect((await openDataset([lines('1.jsonl'), lines('2.jsonl')])).blocks).toBeUndefined();
    expect((await openDataset([lines('1.jsonl'), table, lines('3.jsonl')])).blocks).toEqual([0, 1, 2, 3, 5, 7, 8, 9]);
  });
});

describe('formats', () => {
  const first = async (row: object, options?: Parameters<typeof openDataset>[1]): Promise<Sample> =>
    (await samples(await openDataset([row], options)))[0]!;
  it('are recognised by their columns', async () => {
    expect(await first({ text: 'a', messages: [{ role: 'user', content: 'hi' }] })).toMatchObject({ kind: 'chat' });
    expect(await first({ text: 'a', instruction: 'Add.', input: '1 + 1', output: '2' })).toEqual({
      kind: 'completion',
      prompt:
        'Below is an instruction that describes a task, paired with an input that provides further context. Write a ' +
        'response that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n1 + 1\n\n### Response:\n',
      completion: '2',
    });
    expect(await first({ instruction: 'Add.', output: '2' })).toMatchObject({
      prompt: expect.stringMatching(/task\. Write.*### Instruction:\nAdd\.\n\n### Response:\n$/s) as string,
    });
    expect(
      await first({ question: 'a', answer: 'b' }, { columns: { prompt: 'question', completion: 'answer' } }),
    ).toEqual({
      kind: 'completion',
      prompt: 'a',
      completion: 'b',
    });
    expect(await first({ prompt: '[INST] a', completion: '[{' })).toEqual({
      kind: 'completion',
      prompt: '[INST] a',
      completion: '[{',
    });
    // The JSON of a list of objects is a text, where they are no messages.
    for (const json of ['[]', '[{}]', '[{"name":"Ada"}]', '[1,2]']) {
      const row = { prompt: json, completion: json };
      expect(await first(row)).toEqual({ kind: 'completion', ...row });
    }
    const turns = { prompt: '[{"role":"user","content":"a"}]', completion: '[{"role":"assistant","content":"b"}]' };
    expect(await first(turns)).toMatchObject({ kind: 'chat', messages: [{ weight: 0 }, { content: 'b' }] });
    expect(await first({ prompt: 'a', completion: 'b', text: 'c' }, { format: 'text' })).toEqual(text('c'));
  });
  it('of ShareGPT and of TRL become conversations', async () => {
    const conversations = [{ from: 'human', value: 'a' }, { from: 'gpt', value: 'b' }]; // prettier-ignore
    expect(await first({ id: 1, conversations })).toEqual({
      kind: 'chat',
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
      ],
    });
    const prompt = [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }, { role: 'user', content: 'c' }]; // prettier-ignore
    expect(await first({ prompt, completion: [{ role: 'assistant', content: 'd' }] })).toEqual({
      kind: 'chat',
      messages: [...prompt.map(message => ({ ...message, weight: 0 })), { role: 'assistant', content: 'd' }],
    });
  });
  it('that are not known are refused with the columns that there are', async () => {
    expect(await problemOf(openDataset([{ question: 'a', answer: 'b' }]))).toBe(
      '[@dropbp/data] the list: no format that is known fits these columns; got ["question","answer"]; expected messages (chat), or prompt and ' +
        'completion (completion), or instruction and output (alpaca), or text (text); say which columns to read, such as columns: ' +
        "{ prompt: 'question', completion: 'answer' }.",
    );
    expect(await problemOf(openDataset([{ a: 'b' }], { columns: { text: 'c' } }))).toContain(
      "no column 'c' to be read as 'text'",
    );
    expect(await problemOf(openDataset([{ a: 'b' }], { columns: { txt: 'a' } }))).toContain("did you mean 'text'");
    expect(await problemOf(openDataset([{ question: 'a' }], { columns: { question: 'prompt' } }))).toContain(
      "the name comes before the column: columns: { prompt: 'question' }",
    );
  });
  it('of broken conversations are refused', async () => {
    const problem = (messages: unknown): Promise<string> => problemOf(openDataset([{ messages }]));
    expect(await problem([])).toContain('there are no messages');
    expect(await problem(['a'])).toContain('message 1 is no object');
    expect(await problem([{ content: 'a' }])).toContain('message 1 has no role');
    expect(await problem([{ role: 'user' }])).toContain('message 1 says nothing');
    expect(await problem([{ role: 'user', content: 5 }])).toContain('the content of message 1 is no text');
    expect(await problem([{ role: 'user', content: 'a', weight: 2 }])).toContain('the weight of message 1');
    expect(await problem('[{')).toContain("'messages' is no list, and no JSON of one");
    const prompt = [{ role: 'user', content: 'a' }];
    expect(await problemOf(openDataset([{ prompt, completion: 7 }]))).toContain("'completion' is no list; got 7");
  });
});
