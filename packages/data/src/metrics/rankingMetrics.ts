import { checkNumber, problem, ranges } from '@dropbp/basics';

/** What one search found, and what it should have found. */
export interface SearchResult {
  /** Ids of what was found, best first. */
  readonly ranked: readonly (string | number)[];
  /** Ids of everything that is right, at least one. */
  readonly relevant: ReadonlySet<string | number>;
}

/**
 * The share of the relevant ids that are among the first k, the mean over all searches: recall@k, in [0, 1].
 *
 * @throws Problem if there are no searches, a search has no relevant id or finds an id twice, or k is not an integer ≥ 1
 */
export function recallAt(k: number, searches: readonly SearchResult[]): number {
  return meanOver('recallAt()', k, searches, hits => hits.found.length / hits.relevant);
}

/**
 * 1 divided by the rank of the first relevant id, or 0 if it is not among the first k, the mean over all searches: MRR@k,
 * in [0, 1].
 *
 * @throws Problem as {@link recallAt}
 */
export function reciprocalRankAt(k: number, searches: readonly SearchResult[]): number {
  return meanOver('reciprocalRankAt()', k, searches, ({ found: [first] }) => (first === undefined ? 0 : 1 / first));
}

/**
 * The gain of the relevant ids among the first k, each divided by log₂(rank + 1), as a share of the best possible order, the
 * mean over all searches: NDCG@k, in [0, 1].
 *
 * @throws Problem as {@link recallAt}
 */
export function ndcgAt(k: number, searches: readonly SearchResult[]): number {
  return meanOver('ndcgAt()', k, searches, ({ found, relevant }) => {
    const best = Array.from({ length: Math.min(k, relevant) }, (_, i) => i + 1);
    return gainOf(found) / gainOf(best);
  });
}

interface Hits {
  /** Ranks of relevant ids, from 1. */
  readonly found: readonly number[];
  /** How many ids are relevant. */
  readonly relevant: number;
}

function meanOver(name: string, k: number, searches: readonly SearchResult[], score: (hits: Hits) => number): number {
  checkNumber('data', 'k', k, ranges.count);
  if (searches.length === 0)
    throw problem('data', { what: `${name}: there are no searches`, expected: 'at least one' });
  let total = 0;
  for (const [i, { ranked, relevant }] of searches.entries()) {
    if (relevant.size === 0) {
      throw problem('data', { what: `${name}: search ${i} has no relevant id`, fix: 'leave such searches out' });
    }
    const first = ranked.slice(0, k);
    if (new Set(first).size < first.length) {
      throw problem('data', { what: `${name}: search ${i} finds an id twice`, expected: 'each id at most once' });
    }
    const found = first.flatMap((id, at) => (relevant.has(id) ? [at + 1] : []));
    total += score({ found, relevant: relevant.size });
  }
  return total / searches.length;
}

function gainOf(places: readonly number[]): number {
  return places.reduce((gain, place) => gain + 1 / Math.log2(place + 1), 0);
}
