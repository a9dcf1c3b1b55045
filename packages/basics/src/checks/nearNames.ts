/** Edits that are counted for one question at most: about 50 ms. */
const MOST_CELLS = 20_000_000;
/** A longer name is not a misspelt one. */
const LONGEST_NAME = 400;

/**
 * The names most like a misspelt one, nearest first: what an error lists after "did you mean".
 *
 * The time is bounded whatever a file holds: names of more than 400 characters have no near ones, and among very many
 * names only the first ones are compared.
 *
 * @param limit - how many at most. @defaultValue 3
 */
export function nearNames(name: string, known: Iterable<string>, limit = 3): string[] {
  if (name.length > LONGEST_NAME) return [];
  const wanted = name.toLowerCase();
  const found: { candidate: string; distance: number }[] = [];
  const seen = new Set<string>();
  let cells = 0;
  for (const candidate of known) {
    // What is looked at costs a little too, so that millions of names that are too long end as well.
    if ((cells += 8) > MOST_CELLS) break;
    if (candidate.length > LONGEST_NAME || seen.has(candidate)) continue;
    seen.add(candidate);
    const allowed = Math.max(2, Math.floor(Math.max(name.length, candidate.length) / 2));
    const worst = found.length < limit ? allowed : Math.min(allowed, found.at(-1)!.distance - 1);
    if (Math.abs(name.length - candidate.length) > worst) continue;
    cells += name.length * Math.min(candidate.length, 2 * worst + 1);
    const distance = distanceUpTo(worst, wanted, candidate.toLowerCase());
    if (distance > worst) continue;
    const place = found.findIndex(other => other.distance > distance);
    found.splice(place < 0 ? found.length : place, 0, { candidate, distance });
    if (found.length > limit) found.pop();
  }
  return found.map(({ candidate }) => candidate);
}

/**
 * Edits (insert, delete, replace) between two words, or any number above `most` where there are more: only the cells
 * near the diagonal are computed. Source: Levenshtein; Ukkonen, "Algorithms for approximate string matching", 1985.
 */
function distanceUpTo(most: number, x: string, y: string): number {
  let row = Array.from({ length: y.length + 1 }, (_, j) => j);
  for (let i = 1; i <= x.length; i++) {
    const [first, last] = [Math.max(1, i - most), Math.min(y.length, i + most)];
    const next = new Array<number>(y.length + 1).fill(most + 1);
    if (first === 1) next[0] = i;
    let least = next[0]!;
    for (let j = first; j <= last; j++) {
      const replace = row[j - 1]! + (x[i - 1] === y[j - 1] ? 0 : 1);
      next[j] = Math.min(replace, row[j]! + 1, next[j - 1]! + 1);
      least = Math.min(least, next[j]!);
    }
    if (least > most) return least;
    row = next;
  }
  return row[y.length]!;
}
