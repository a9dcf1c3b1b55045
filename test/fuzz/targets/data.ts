import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { loadChatTemplate, loadTokenizer, openDataset, tokenizeRows, type Dataset, type FileType } from '@dropbp/data';
import type { Mutate } from '../mutate/draw.ts';
import { mutateCsv, mutateGzip, mutateText } from '../mutate/files.ts';
import { jsonLinesMutator, jsonMutator } from '../mutate/json.ts';
import { mutateParquet } from '../mutate/parquet.ts';
import type { FuzzTarget } from '../target.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const fixtures = new URL('../../../packages/data/test/fixtures/', import.meta.url);

const TEMPLATE = `{%- for message in messages %}{% if message.role not in ['system', 'user', 'assistant'] %}
{{ raise_exception('no such role') }}{% endif %}{{ '<s>' + message['role'] + '\n' + (message.content or '') + '<|end|>' }}
{%- endfor %}{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}`;

/** Files of rows, with bad rows refused and skipped, to their tokens. */
export async function dataTargets(): Promise<FuzzTarget[]> {
  const families = JSON.parse(readFileSync(new URL('tokenizers.json', fixtures), 'utf8')) as {
    families: Record<string, { tokenizer: object }>;
  };
  const config = { eos_token: '<|end|>' };
  const tokenizer = await loadTokenizer({ tokenizer: families.families.smollm!.tokenizer, config });
  const chatTemplate = await loadChatTemplate({ template: TEMPLATE });

  const tokenized = async (dataset: Dataset): Promise<void> => {
    const rows = tokenizeRows(dataset, { tokenizer, chatTemplate, time: 64 });
    let count = 0;
    for await (const row of dataset.rows()) {
      if (row.index !== count++) throw new Error('rows out of order');
      for (const { ids, labels } of rows.tokenize(row).sequences) {
        if (ids.length > 64 || ids.length !== labels.length) throw new Error('a sequence of no such length');
        if (ids.some(id => id < 0 || id >= tokenizer.vocabSize)) throw new Error('no token');
      }
    }
    if (count !== dataset.length) throw new Error(`${count} rows of ${dataset.length}`);
  };
  const target = (
    name: string,
    fileType: FileType,
    mutate: Mutate,
    inputs: readonly Uint8Array[],
    pieces: FuzzTarget['pieces'],
    share = 1,
  ): FuzzTarget => ({
    name,
    mutate,
    share,
    inputs,
    pieces,
    async run(input) {
      const file = new File([new Uint8Array(input)], name);
      const skipping = await openDataset(file, { fileType, badRows: 'skip' });
      if (skipping.skipped.count === 0) await tokenized(await openDataset(file, { fileType }));
      else await refused(() => openDataset(file, { fileType }));
      await tokenized(skipping);
    },
  });

  const chats = [
    { messages: [{ role: 'user', content: 'What is 1 + 1?' }, { role: 'assistant', content: '2 ☕' }] },
    { messages: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'naïve' }, { role: 'assistant', content: 'Yes.', weight: 0 }] },
  ]; // prettier-ignore
  const shareGpt = [{ conversations: [{ from: 'human', value: 'a' }, { from: 'gpt', value: 'b' }] }]; // prettier-ignore
  const completions = [{ prompt: 'a "b" ', completion: 'c\nd' }, { prompt: '', completion: '😀, e' }]; // prettier-ignore
  const alpaca = [{ instruction: 'Add; now.', input: '1 + 1', output: '2' }, { instruction: 'Go', output: 'ok' }]; // prettier-ignore
  const texts = [{ text: 'Once upon a time' }, { text: 'there was é' }, { text: 'x'.repeat(300) }];
  const all: readonly (readonly object[])[] = [chats, shareGpt, completions, alpaca, texts];
  const jsonPieces = [
    ...[
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '\n',
      '\\',
      '\\ud800',
      'null',
      '1e999',
      '-0',
      '\r\n',
      '\ufeff',
      '\0',
      '"role":',
      '"content":',
    ],
    ...[
      '"__proto__":{"text":"a"},',
      '"messages":[',
      '"weight":0,',
      '[[[[[[[[[[',
      '{"a":'.repeat(50),
      '"tools":[],',
      '"text":5,',
    ],
    ...[Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xc3), Uint8Array.of(0xed, 0xa0, 0x80)],
  ];
  const lines = all.map(rows => bytes(rows.map(row => JSON.stringify(row)).join('\n')));
  const csv = [
    'prompt,completion\na,b\n"c, d","e ""f""\ng"\n',
    'text\thint\nx\ty\n"z\tz"\t\n',
    'instruction;output\r\na;b\r\n',
  ];
  const parquet = readdirSync(new URL('parquet/', fixtures)).map(name =>
    readFileSync(new URL(`parquet/${name}`, fixtures)),
  );
  const dictionary = {
    keys: ['messages', 'role', 'content', 'weight', 'tools', 'tool_calls', 'prompt', 'completion', 'text', 'conversations', 'from', 'value'],
    values: ['"user"', '"assistant"', '"system"', '"tool"', '"human"', '[{"type":"text","text":"a"}]', '[{"function":{"name":"f","arguments":{}}}]'],
  }; // prettier-ignore
  const mutateLines = jsonLinesMutator(dictionary);
  return [
    target('jsonl', 'jsonl', mutateLines, lines, jsonPieces),
    target('jsonl.gz', 'jsonl', mutateGzip(mutateLines), lines.map(line => gzipSync(line)), [...jsonPieces, Uint8Array.of(0x1f, 0x8b, 8)], 0.3), // prettier-ignore
    target('json', 'json', jsonMutator(dictionary), all.map(rows => bytes(JSON.stringify(rows))), jsonPieces), // prettier-ignore
    target('csv', 'csv', mutateCsv, csv.map(bytes), ['"', '""', ',', ';', '\t', '\n', '\r\n', '\r', '\ufeff', '\0', 'a,b', Uint8Array.of(0xff)]), // prettier-ignore
    target('text', 'text', mutateText, [bytes('naïve ☕ text\n'.repeat(330)), bytes('😀'.repeat(1100)), bytes('a')], ['\n', '\ufeff', '\0', Uint8Array.of(0xf0, 0x9f), Uint8Array.of(0x80)], 0.3), // prettier-ignore
    target('parquet', 'parquet', mutateParquet, parquet, ['PAR1', Uint8Array.of(0x15, 0x80, 0x80, 0x80, 0x80, 0x10), Uint8Array.of(0x19, 0xfc, 0xff, 0xff, 0xff, 0x07), 'messages', 'list', 'content'], 0.5), // prettier-ignore
  ];
}

async function refused(open: () => Promise<unknown>): Promise<void> {
  const dataset = await open().catch(() => undefined);
  if (dataset !== undefined) throw new Error('a row that is skipped on request was not refused without it');
}
