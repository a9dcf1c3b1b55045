import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { classScores, ndcgAt, pearson, recallAt, reciprocalRankAt, spearman } from '../src/index.ts';

/** What make_metrics.py wrote. */
interface Fixture {
  readonly searches: readonly { readonly ranked: string[]; readonly relevant: string[] }[];
  readonly ranking: Readonly<Record<'recall' | 'mrr' | 'ndcg', Readonly<Record<string, number>>>>;
  readonly classes: readonly {
    readonly wanted: string[];
    readonly given: string[];
    readonly accuracy: number;
    readonly macroF1: number;
    readonly labels: string[];
    readonly precision: number[];
    readonly recall: number[];
    readonly f1: number[];
    readonly rows: number[];
    readonly confusion: number[][];
  }[];
  readonly correlations: readonly { a: number[]; b: number[]; pearson: number; spearman: number }[];
}

const fixture = JSON.parse(readFileSync(new URL('./fixtures/metrics.json', import.meta.url), 'utf8')) as Fixture;
const searches = fixture.searches.map(({ ranked, relevant }) => ({ ranked, relevant: new Set(relevant) }));

describe('searches are scored as by sentence-transformers', () => {
  it.each(Object.keys(fixture.ranking.recall))('at %s', k => {
    expect(recallAt(Number(k), searches)).toBeCloseTo(fixture.ranking.recall[k]!, 12);
    expect(reciprocalRankAt(Number(k), searches)).toBeCloseTo(fixture.ranking.mrr[k]!, 12);
    expect(ndcgAt(Number(k), searches)).toBeCloseTo(fixture.ranking.ndcg[k]!, 12);
  });

  it('refuses what cannot be scored', () => {
    const relevant = new Set(['a']);
    expect(() => recallAt(0, searches)).toThrow('k is not usable; got 0; expected an integer ≥ 1');
    expect(() => recallAt(1, [])).toThrow('recallAt(): there are no searches');
    expect(() => ndcgAt(1, [{ ranked: ['a'], relevant: new Set() }])).toThrow('search 0 has no relevant id');
    expect(() => ndcgAt(2, [{ ranked: ['a', 'a'], relevant }])).toThrow('search 0 finds an id twice');
  });
});

it('labels are scored as by scikit-learn', () => {
  for (const { wanted, given, ...expected } of fixture.classes) {
    const { accuracy, macroF1, confusion, labels } = classScores(wanted, given);
    expect(accuracy).toBeCloseTo(expected.accuracy, 12);
    expect(macroF1).toBeCloseTo(expected.macroF1, 12);
    expect(confusion).toEqual(expected.confusion);
    for (const [i, scores] of labels.entries()) {
      expect(scores.label).toBe(expected.labels[i]);
      expect(scores.rows).toBe(expected.rows[i]);
      for (const name of ['precision', 'recall', 'f1'] as const)
        expect(scores[name]).toBeCloseTo(expected[name][i]!, 12);
    }
  }
});

it('labels that no row has or got do not lower macro-F1', () => {
  const scores = classScores(['a', 'b'], ['a', 'b'], ['b', 'c', 'a']);
  expect(scores.macroF1).toBe(1);
  expect(scores.confusion).toEqual([
    [1, 0, 0],
    [0, 0, 0],
    [0, 0, 1],
  ]);
});

it('labels that do not pair up are refused', () => {
  expect(() => classScores(['a'], [])).toThrow('got "1 and 0 labels"');
  expect(() => classScores(['a'], ['b'], ['a'])).toThrow('a label is not known; got "b"; expected a');
});

it('correlations are those of SciPy', () => {
  for (const { a, b, ...expected } of fixture.correlations) {
    expect(pearson(a, b)).toBeCloseTo(expected.pearson, 7);
    expect(spearman(a, b)).toBeCloseTo(expected.spearman, 12);
  }
  expect(pearson([0.1, 0.1, 0.1], [1, 2, 3])).toBeNaN();
  expect(() => pearson([1], [1])).toThrow('the lists do not pair up');
  expect(() => spearman([1, NaN], [1, 2])).toThrow('a value is not usable; got NaN; expected finite numbers');
});
