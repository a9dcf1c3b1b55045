import type { BatchShape } from '@dropbp/core';

/** FLOPs of linear layers: two for each weight and token. */
export function linearFlops({ batch, time }: BatchShape, weights: number): number {
  return 2 * batch * time * weights;
}

/**
 * FLOPs of causal attention itself, the products with keys and with values, for the keys that each query sees.
 *
 * @param width - heads · headSize
 * @param window - keys that a query sees at most
 */
export function attentionFlops({ batch, time }: BatchShape, width: number, window: number = Infinity): number {
  const full = Math.min(time, window); // queries until the window is full see one key more each
  const seen = (full * (full + 1)) / 2 + (time - full) * full;
  return 4 * batch * width * seen;
}

/**
 * The same for attention in which each query sees the keys behind it too.
 *
 * @param window - keys that a query sees at most on each side, its own included
 */
export function fullAttentionFlops({ batch, time }: BatchShape, width: number, window: number = Infinity): number {
  const side = Math.min(time, window);
  const hidden = (time - side) * (time - side + 1); // keys beyond both ends of the windows, of all queries
  return 4 * batch * width * (time * time - hidden);
}
