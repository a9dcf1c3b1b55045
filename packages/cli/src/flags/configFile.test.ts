import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainCommand } from '../commands/train/trainCommand.ts';
import { readConfigFile } from './configFile.ts';
import { configSchema } from './configSchema.ts';
import { choice, names, number, positiveInteger, requiredText, share, text, toggle } from './flag.ts';
import { completeFlags, parseFlags } from './parseFlags.ts';

const flags = {
  model: requiredText('<folder>', 'the model'),
  prompt: text('<text>', 'a prompt'),
  rank: number(positiveInteger, 'rank', 8),
  rate: { ...number(share, 'speed'), defaultText: 'half' },
  adapter: choice(['lora', 'full'], 'what is trained', 'lora'),
  targets: { ...names('<names>', 'layers'), fallback: ['all'], aliases: ['targetModules'] },
  json: toggle('as JSON'),
};

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'dropbp-config-'))));
afterAll(() => rmSync(folder, { recursive: true }));

async function read(content: string): Promise<Record<string, unknown>> {
  const path = join(folder, 'run.yaml');
  writeFileSync(path, content);
  return Object.fromEntries(await readConfigFile(path, flags));
}

describe('a configuration file', () => {
  it('is YAML or JSON, with the flags’ names', async () => {
    const values = { model: 'm', rank: 4, rate: 0.5, adapter: 'full', targets: ['q', 'v'], json: true };
    const yaml = 'model: m # a comment\nrank: 4\nrate: 0.5\nadapter: full\ntargets: [q, v]\njson: true\n';
    expect(await read(yaml)).toEqual(values);
    expect(await read(JSON.stringify({ $schema: 'x', ...values }))).toEqual(values);
    expect(await read('targets: q, v')).toEqual({ targets: ['q', 'v'] });
    expect(await read('# nothing\n')).toEqual({});
  });
  it.each([
    ['rank: 4\nrnak: 3', "run.yaml has the key 'rnak', which nothing reads; did you mean rank?"],
    ['rank: 0', 'run.yaml: rank is not usable; got 0; expected an integer ≥ 1.'],
    ['rank: "4"', 'run.yaml: rank is not usable; got "4"; expected an integer ≥ 1.'],
    ['rate: .nan', 'run.yaml: rate is not usable; got NaN; expected a number in [0, 1).'],
    ['json: yes please', 'run.yaml: json is not usable; got "yes please"; expected true or false.'],
    ['adapter: dora', "run.yaml: adapter is not usable; got \"dora\"; expected 'lora' or 'full'."],
    ['prompt: 3', 'run.yaml: prompt is not usable; got 3; expected a text.'],
    ['prompt: ""', 'run.yaml: prompt is not usable; got ""; expected a text that is not empty.'],
    ['targets: [q, 3]', 'run.yaml: targets is not usable; got ["q",3]; expected names'],
    ['targets: []', 'run.yaml: targets is not usable; got []'],
    ['targets: "q,,v"', 'run.yaml: targets is not usable; got "q,,v"'],
    ['- rank', 'run.yaml is not usable; got ["rank"]; expected keys with values.'],
    ['rank: 4\nrank: 5', 'run.yaml:2 is no YAML; got "Map keys must be unique'],
    ['rank: 4\nmodel: [', 'run.yaml:2 is no YAML; got "'],
    ['rank: !!js/function x', 'run.yaml:1 is no YAML; got "Unresolved tag'],
    ['constructor: 3', "run.yaml has the key 'constructor', which nothing reads"],
    [
      'a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c]',
      'run.yaml',
    ],
  ])('refuses %j', async (content, message) => {
    await expect(read(content)).rejects.toThrow(message);
  });
  it('is refused with a message, whatever it holds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async content => {
        const error = await read(content).catch((error: unknown) => error);
        if (error instanceof Error) expect(error.message).toMatch(/^\[@dropbp\/(cli|data)\] /);
      }),
      { numRuns: 200 },
    );
  });
  it('gives way to the command line', () => {
    const { values } = parseFlags('dropbp try', flags, ['--rank', '2']);
    const layers = [
      { rank: 4, model: 'm' },
      { rank: 5, rate: 0.1 },
    ].map((layer): ReadonlyMap<string, unknown> => new Map(Object.entries(layer)));
    expect(completeFlags(flags, values, ...layers)).toMatchObject({ rank: 2, model: 'm', rate: 0.1, json: false });
    expect(() => completeFlags(flags, values)).toThrow('--model <folder> is missing');
  });
});

describe('another name of a flag', () => {
  it('means the same, in a file as on the line, but not beside it', async () => {
    expect(await read('targetModules: [q_proj]')).toEqual({ targets: ['q_proj'] });
    expect(parseFlags('try', flags, ['--target-modules', 'q_proj']).values).toEqual(new Map([['targets', ['q_proj']]]));
    await expect(read('targetModules: a\ntargets: b')).rejects.toThrow("gives 'targets' twice");
    const twice = ['--targets', 'a', '--target-modules', 'b'];
    expect(() => parseFlags('try', flags, twice)).toThrow('--target-modules is given twice');
  });
});

describe('the schema for editors', () => {
  it('says what the flags accept', () => {
    expect(configSchema({ name: 'try', summary: 'Tries.', flags })).toEqual({
      $schema: 'http://json-schema.org/draft-07/schema#',
      title: 'Configuration of dropbp try',
      description: 'Tries.',
      type: 'object',
      additionalProperties: false,
      properties: {
        $schema: { type: 'string' },
        model: { type: 'string', minLength: 1, description: 'the model' },
        prompt: { type: 'string', minLength: 1, description: 'a prompt' },
        rank: { type: 'integer', minimum: 1, description: 'rank', default: 8 },
        rate: { type: 'number', minimum: 0, exclusiveMaximum: 1, description: 'speed [half]' },
        adapter: { enum: ['lora', 'full'], description: 'what is trained', default: 'lora' },
        targets: {
          oneOf: [
            { type: 'string', minLength: 1 },
            { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1 },
          ],
          description: 'layers',
          default: ['all'],
        },
        targetModules: {
          oneOf: [
            { type: 'string', minLength: 1 },
            { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1 },
          ],
          description: 'The same as targets.',
        },
        json: { type: 'boolean', description: 'as JSON', default: false },
      },
    });
  });
  it('of dropbp train comes with the package', async () => {
    // `npx vitest run packages/cli --update` writes it anew.
    const schema = `${JSON.stringify(configSchema(trainCommand), undefined, 2)}\n`;
    await expect(schema).toMatchFileSnapshot('../../assets/train.schema.json');
  });
});
