/** The value that transformers gives to a label that does not count. */
export const IGNORED = -100;

/** Tokens with their labels, as they go into a batch. */
export interface Sequence {
  /** Tokens. */
  readonly ids: Int32Array;
  /** The token itself where it counts, -100 where it does not. */
  readonly labels: Int32Array;
}

/** How many tokens count: the first is never predicted. */
export function labelCount({ labels }: Sequence): number {
  let count = 0;
  for (let i = 1; i < labels.length; i++) if (labels[i] !== IGNORED) count++;
  return count;
}

/** How many tokens stand in front of the first one that predicts a token that counts; all of them where none does. */
export function promptLength({ labels }: Sequence): number {
  const first = labels.findIndex((label, i) => i > 0 && label !== IGNORED);
  return first < 0 ? labels.length : first - 1;
}

/** From one token to before another. */
export function slicedSequence({ ids, labels }: Sequence, start: number, end: number): Sequence {
  return { ids: ids.slice(start, end), labels: labels.slice(start, end) };
}

/** Sequences one behind the other. */
export function joinedSequence(parts: readonly Sequence[]): Sequence {
  return {
    ids: Int32Array.from(parts.flatMap(({ ids }) => [...ids])),
    labels: Int32Array.from(parts.flatMap(({ labels }) => [...labels])),
  };
}
