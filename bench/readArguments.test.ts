import { afterEach, describe, expect, it } from 'vitest';
import { namesOf, numbersOf, readArguments } from './readArguments.ts';

const { argv } = process;
afterEach(() => {
  process.argv = argv;
});

describe('readArguments', () => {
  const defaults = { seeds: '1,2,3', cases: '', minutes: 'Infinity', table: false };
  const read = (...given: string[]) => {
    process.argv = ['node', 'script', ...given];
    return readArguments('x.bench.ts', defaults, ['minutes', 'table']);
  };
  it('gives what was given beside the defaults', () => {
    expect(read('--seeds', '4', '--table').values).toEqual({ ...defaults, seeds: '4', table: true });
    expect(read().values).toEqual(defaults);
  });
  it('writes the command that makes all, without what chooses a part', () => {
    expect(read('--cases', 'depth 0.5', '--minutes', '3', '--table', '--seeds=4').command).toBe(
      "npx tsx bench/x.bench.ts --cases 'depth 0.5' --seeds 4",
    );
  });
  it('refuses an option that there is not', () => {
    expect(() => read('--seed', '1')).toThrow("Unknown option '--seed'");
  });
});

describe('lists', () => {
  it('come in the order in which they were given', () => {
    expect(namesOf('b,a', ['a', 'b', 'c'])).toEqual(['b', 'a']);
    expect(numbersOf('1e-3,2')).toEqual([0.001, 2]);
  });
  it('refuse what is none of the names, or no number', () => {
    expect(() => namesOf('a,d', ['a', 'b', 'c'])).toThrow("there is no 'd'; there are a, b, c");
    expect(() => numbersOf('1,x')).toThrow("'x' of '1,x' is no number");
    expect(() => numbersOf('')).toThrow("'' of '' is no number");
  });
});
