import { describe, expect, it } from 'vitest';
import { checkOptions, nearNames, problem, seededRandom } from './index.ts';

describe('problem', () => {
  it('names the package, what was wrong, what was received, what was expected and what to do', () => {
    const error = problem('peft-lora', {
      what: 'rank is not usable',
      got: 0.5,
      expected: 'an integer ≥ 1',
      fix: 'start with rank: 8',
    });
    expect(error.message).toBe(
      '[@dropbp/peft-lora] rank is not usable; got 0.5; expected an integer ≥ 1; start with rank: 8.',
    );
  });
  it('ends with one mark', () => {
    expect(problem('x', { what: 'it rolled away', fix: 'did you look?' }).message).toBe(
      '[@dropbp/x] it rolled away; did you look?',
    );
  });
  it('shortens long values and survives those that JSON cannot hold', () => {
    expect(problem('x', { what: 'w', got: 'a'.repeat(999) }).message.length).toBeLessThan(250);
    expect(problem('x', { what: 'w', got: { n: 1n } }).message).toContain('[object Object]');
    expect(problem('x', { what: 'w', got: undefined }).message).toContain('got undefined');
  });
  it('takes no time for what it does not show', () => {
    const startedMs = performance.now();
    const long = Array.from({ length: 300_000 }, (_, i) => i);
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown;
    for (const got of [long, deep, { long, deep }, 'x'.repeat(2e7), new Float32Array(1e6)]) {
      expect(problem('x', { what: 'w', got }).message.length).toBeLessThan(250);
    }
    expect(problem('x', { what: 'w', got: long }).message).toContain('got [0,1,2,3,4,');
    const names = Array.from({ length: 100_000 }, (_, i) => `tensor ${i}`).join(', ');
    expect(problem('x', { what: names, expected: names, fix: names }).message.length).toBeLessThan(13_000);
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
});

describe('seededRandom', () => {
  it('gives the same numbers for the same seeds, others for others', () => {
    const draw = (...seeds: number[]) => Array.from({ length: 5 }, seededRandom(...seeds));
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(2, 1));
    expect(draw(0)).not.toEqual(draw(0, 0));
  });
  it('goes on from a stored state', () => {
    const random = seededRandom(7);
    random();
    const stored = JSON.parse(JSON.stringify(random.state)) as number[];
    const expected = [random(), random()];
    const other = seededRandom(99);
    other.restore(stored);
    expect([other(), other()]).toEqual(expected);
  });
  it('refuses a state that is none', () => {
    const random = seededRandom(1);
    for (const state of [[], [1, 2, 3], [1, 2, 3, 0.5], [1, 2, 3, null], null] as unknown as number[][]) {
      expect(() => random.restore(state)).toThrow('the state of a generator is not usable; got');
    }
    expect(random()).toBe(seededRandom(1)());
  });
  it('is uniform and normal', () => {
    const random = seededRandom(3);
    const n = 20_000;
    const mean = (f: () => number) => Array.from({ length: n }, f).reduce((a, b) => a + b, 0) / n;
    expect(Math.abs(mean(random) - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(mean(() => random.normal()))).toBeLessThan(0.03);
    expect(Math.abs(mean(() => random.normal() ** 2) - 1)).toBeLessThan(0.04);
  });
});

describe('checkOptions', () => {
  it('names the misspelt key and its neighbour', () => {
    expect(() => checkOptions('x', 'lora()', { rnak: 8 }, ['rank', 'alpha'])).toThrow(
      "[@dropbp/x] lora() does not know the option 'rnak'; expected one of rank, alpha; did you mean 'rank'?",
    );
    expect(() => checkOptions('x', 'lora()', { rank: 8 }, ['rank'])).not.toThrow();
  });
  it('refuses what is no object', () => {
    for (const options of [undefined, null, 0.5]) {
      expect(() => checkOptions('x', 'dropBP()', options, ['rate', 'seed'])).toThrow(
        /^\[@dropbp\/x\] dropBP\(\) takes an object of options; got \S+; expected some of rate, seed\.$/,
      );
    }
  });
  it('suggests nothing that is not near', () => {
    expect(nearNames('zzzzzz', ['rank', 'alpha'])).toEqual([]);
  });
  it('takes bounded time for long names and for very many', () => {
    const startedMs = performance.now();
    const long = 'x'.repeat(20_000_000);
    expect(nearNames(long, [long, 'rank'])).toEqual([]);
    expect(nearNames('rank', [long, 'ranks'])).toEqual(['ranks']);
    const many = Array.from(
      { length: 100_000 },
      (_, i) => `model.layers.${i}.self_attn.query_projection.lora_A.weight`,
    );
    expect(nearNames('model.layers.7.self_attn.query_projektion.lora_A.weight', many, 1)).toEqual([many[7]]);
    nearNames(
      'odel'.repeat(90),
      many.map(name => name.repeat(6)),
    );
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
});
