import { seededRandom, type SeededRandom } from '@dropbp/basics';

// Task arithmetic: sums of tensors of one shape, some of their entries left out. Source: PEFT 0.21, `utils/merge_utils.py`.

/** How tensors are put together. */
export type Arithmetic = 'linear' | 'magnitude_prune' | 'ties' | 'dare_linear' | 'dare_ties';

/** Options of {@link combineTensors}. */
export interface ArithmeticOptions {
  /** Share of the entries of each tensor that is kept, in (0, 1]. */
  readonly density: number;
  /** What the sign of an entry is elected by: the sum of the values, or of their signs. */
  readonly majoritySignMethod: 'total' | 'frequency';
  /** Of the entries that are left out at random, an integer. */
  readonly seed: number;
}

/** The weighted sum of tensors of one shape. */
export function combineTensors(
  tensors: readonly Float32Array[],
  weights: readonly number[],
  arithmetic: Arithmetic,
  { density, majoritySignMethod, seed }: ArithmeticOptions,
): Float32Array {
  const random = seededRandom(seed);
  const pruned = tensors.map(tensor => {
    if (arithmetic === 'linear' || density >= 1) return tensor;
    return arithmetic.startsWith('dare') ? pruneAtRandom(tensor, density, random) : pruneSmallest(tensor, density);
  });
  const result = new Float32Array(tensors[0]!.length);
  const elects = arithmetic === 'ties' || arithmetic === 'dare_ties';
  for (let i = 0; i < result.length; i++) {
    const values = pruned.map(tensor => tensor[i]!);
    result[i] = elects ? electedMean(values, weights, majoritySignMethod) : weightedSum(values, weights);
  }
  return result;
}

/** The entries of largest magnitude, the others zero. */
function pruneSmallest(tensor: Float32Array, density: number): Float32Array {
  const count = Math.floor(density * tensor.length);
  const order = Array.from(tensor.keys()).sort((i, j) => Math.abs(tensor[j]!) - Math.abs(tensor[i]!));
  const kept = new Float32Array(tensor.length);
  for (const i of order.slice(0, count)) kept[i] = tensor[i]!;
  return kept;
}

/** Each entry with this probability, divided by it, so that the mean stays. */
function pruneAtRandom(tensor: Float32Array, density: number, random: SeededRandom): Float32Array {
  return tensor.map(value => (random() < density ? value / density : 0));
}

function weightedSum(values: readonly number[], weights: readonly number[]): number {
  return values.reduce((sum, value, i) => sum + value * weights[i]!, 0);
}

/** The mean, weighted, of the values that have the sign of most. A zero has none. */
function electedMean(values: readonly number[], weights: readonly number[], method: 'total' | 'frequency'): number {
  const votes = method === 'total' ? values : values.map(Math.sign);
  const elected = votes.reduce((sum, vote) => sum + vote, 0) >= 0 ? 1 : -1;
  const agrees = values.map(value => Math.sign(value) === elected);
  const sum = values.reduce((total, value, i) => (agrees[i] === true ? total + value * weights[i]! : total), 0);
  return sum / Math.max(1, agrees.filter(Boolean).length);
}
