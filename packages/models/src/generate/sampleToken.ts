/** How a token is drawn from logits. */
export interface Sampling {
  /** 0: the most probable token. */
  readonly temperature: number;
  /** Draws among this many of the most probable tokens. */
  readonly topK?: number | undefined;
  /** Draws among the most probable tokens whose probabilities add up to this. */
  readonly topP?: number | undefined;
}

/**
 * Draws a token, in the order of transformers: temperature, then top-k, then top-p. Tokens that are as probable as the
 * last one that is kept are kept too.
 *
 * Sources: Fan et al., "Hierarchical Neural Story Generation", 2018 (top-k); Holtzman et al., "The Curious Case of Neural
 * Text Degeneration", 2020 (top-p).
 *
 * @param logits - `[vocabSize]`, no NaN
 * @param random - numbers in [0, 1)
 */
export function sampleToken(logits: Float32Array, sampling: Sampling, random: () => number): number {
  const { temperature, topK, topP } = sampling;
  const best = argMax(logits);
  if (temperature === 0) return best;
  const top = logits[best]!;
  const weights = Float64Array.from(logits, logit => Math.exp((logit - top) / temperature));
  if (topK !== undefined && topK < weights.length) keepFrom(weights, descending(weights)[topK - 1]!);
  if (topP !== undefined && topP < 1) keepFrom(weights, lastOfMass(descending(weights), topP));
  return draw(weights, random());
}

/** The first of the largest. */
export function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

function descending(weights: Float64Array): Float64Array {
  return weights.slice().sort().reverse();
}

/** The smallest weight among the largest that add up to a share of all. */
function lastOfMass(sorted: Float64Array, share: number): number {
  const wanted = sorted.reduce((sum, weight) => sum + weight, 0) * share;
  let sum = 0;
  for (const weight of sorted) {
    sum += weight;
    if (sum >= wanted) return weight;
  }
  return 0; // rounding left the sum below the share
}

function keepFrom(weights: Float64Array, smallest: number): void {
  for (let i = 0; i < weights.length; i++) if (weights[i]! < smallest) weights[i] = 0;
}

function draw(weights: Float64Array, uniform: number): number {
  let rest = weights.reduce((sum, weight) => sum + weight, 0) * uniform;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    last = i;
    rest -= weights[i]!;
    if (rest < 0) return i;
  }
  return last; // rounding left a rest
}
