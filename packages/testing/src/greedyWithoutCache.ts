import { forwardLogits, type Runnable } from '@dropbp/core';

/** What follows `tokens`, greedily and without a cache: the whole sequence runs for each of `count` tokens. */
export async function greedyWithoutCache(
  runnable: Runnable,
  tokens: readonly number[],
  count: number,
): Promise<number[]> {
  const sequence = [...tokens];
  while (sequence.length < tokens.length + count) {
    const logits = forwardLogits(runnable, [sequence]);
    const last = Float32Array.from(await logits.data()).slice(-runnable.model.vocabSize);
    logits.dispose();
    sequence.push(last.indexOf(Math.max(...last)));
  }
  return sequence.slice(tokens.length);
}
