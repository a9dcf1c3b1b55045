/**
 * The names most like a misspelt one, nearest first: what an error lists after "did you mean".
 *
 * @param limit - how many at most. @defaultValue 3
 */
export function nearNames(name: string, known: Iterable<string>, limit = 3): string[] {
  const scored = [...new Set(known)].map(candidate => ({ candidate, distance: distance(name, candidate) }));
  scored.sort((x, y) => x.distance - y.distance);
  return scored
    .filter(({ candidate, distance }) => distance <= Math.max(2, Math.max(name.length, candidate.length) / 2))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** Edits (insert, delete, replace) between two words; case counts nothing. Source: Levenshtein. */
function distance(a: string, b: string): number {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: y.length + 1 }, (_, j) => j);
  for (let i = 1; i <= x.length; i++) {
    const next = [i];
    for (let j = 1; j <= y.length; j++) {
      const replace = row[j - 1]! + (x[i - 1] === y[j - 1] ? 0 : 1);
      next.push(Math.min(replace, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[y.length]!;
}
