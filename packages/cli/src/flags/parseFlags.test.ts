import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choice, number, positiveInteger, requiredText, seedInteger, share, text, toggle } from './flag.ts';
import { flagName } from './flagName.ts';
import { completeFlags, parseFlags } from './parseFlags.ts';

const flags = {
  model: requiredText('<folder>', 'the model'),
  prompt: text('<text>', 'a prompt'),
  rank: number(positiveInteger, 'rank', 8),
  learningRate: number(share, 'speed'),
  adapter: choice(['lora', 'full'], 'what is trained', 'lora'),
  seed: number(seedInteger, 'seed', 1),
  json: toggle('as JSON'),
};
const parse = (...args: string[]) => {
  const { values, positionals } = parseFlags('dropbp try', flags, ['--model', 'm', ...args]);
  return { flags: completeFlags(flags, values), positionals };
};

describe('parseFlags', () => {
  it('fills in defaults', () => {
    expect(parse().flags).toEqual({
      ...{ model: 'm', prompt: undefined, rank: 8, learningRate: undefined, adapter: 'lora', seed: 1, json: false },
    });
  });
  it('reads both spellings, switches and positionals', () => {
    const line = parse('--rank=4', '--learning-rate', '1e-3', 'one', '--json', '--', '--two');
    expect(line.flags).toMatchObject({ rank: 4, learningRate: 0.001, json: true });
    expect(line.positionals).toEqual(['one', '--two']);
  });
  it('takes any text as a value', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), value => {
        expect(parse(`--prompt=${value}`).flags.prompt).toBe(value);
      }),
    );
  });
  it.each([
    [['--rnak', '4'], 'there is no flag --rnak; did you mean --rank?'],
    [['--learning_rate=1'], 'there is no flag --learning_rate; did you mean --learning-rate?'],
    [['--zzzzzzzzzz'], 'there is no flag --zzzzzzzzzz; see dropbp try --help.'],
    [['-r', '4'], 'there is no flag -r'],
    [['--rank'], '--rank needs a value; expected --rank <n>.'],
    [['--rank', '--json'], '--rank needs a value; got "--json"; expected --rank <n>; write --rank=--json if'],
    [['--rank', '0'], '--rank is not usable; got "0"; expected an integer ≥ 1.'],
    [['--rank', ''], '--rank is not usable; got ""; expected an integer ≥ 1.'],
    [['--rank', '1', '--rank', '2'], '--rank is given twice; give it once.'],
    [['--learning-rate', '-1'], '--learning-rate is not usable; got "-1"; expected a number in [0, 1).'],
    [['--adapter', 'dora'], "--adapter is not usable; got \"dora\"; expected 'lora' or 'full'."],
    [['--json=yes'], '--json takes no value; got "yes".'],
    [['--prompt='], '--prompt is not usable; got ""; expected a text that is not empty.'],
  ])('refuses %j', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });
  it('asks for what is required', () => {
    expect(() => completeFlags(flags, parseFlags('dropbp try', flags, []).values)).toThrow(
      '--model <folder> is missing; expected the model.',
    );
  });
  it('writes camelCase as flags', () => {
    expect(flagName('maxNewTokens')).toBe('--max-new-tokens');
  });
});
