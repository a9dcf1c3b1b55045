import * as tf from '@tensorflow/tfjs';
import type { FrontPart } from '@dropbp/core';
import type { Part } from './layParts.ts';

/** What a batch has for each of its tokens. */
export interface TokenSource {
  /** The tokens of the flattened `[batch · time]`. */
  readonly inputIds: ArrayLike<number>;
  readonly batch: number;
  readonly time: number;
  /** All positions are below this. */
  readonly positionsEnd: number;
  /** Tensors of the step for the whole batch, such as dropout masks, by full name. */
  readonly stepTensors: ReadonlyMap<string, tf.Tensor>;
}

/** The tensors of a part. The caller frees them by {@link disposePart}. */
export function makePart(part: Part, source: TokenSource): FrontPart {
  const { lanes, time, places, keys, mask, isStart } = part;
  const ids = places.map(place => (place < 0 ? 0 : source.inputIds[place]!));
  const byKey = (values: Float32Array): tf.Tensor => tf.tensor2d(values, [lanes, keys]);
  return {
    inputIds: tf.tensor2d(ids, [lanes, time], 'int32'),
    lanes: {
      positions: tf.tensor2d(part.positions, [lanes, part.positions.length / lanes], 'int32'),
      positionsEnd: source.positionsEnd,
      keys: { begins: byKey(mask.begins), ends: byKey(mask.ends), positions: byKey(mask.positions) },
      isStart,
    },
    stepTensors: takeTokens(part, source),
  };
}

/** Frees what {@link makePart} has made. */
export function disposePart({ inputIds, lanes: { positions, keys }, stepTensors }: FrontPart): void {
  tf.dispose([inputIds, positions, keys as unknown as Record<string, tf.Tensor>, ...stepTensors.values()]);
}

/** Those tensors of the step that hold something for every token, for the part's tokens; the others are not among them. */
function takeTokens({ lanes, time, places }: Part, source: TokenSource): Map<string, tf.Tensor> {
  const taken = new Map<string, tf.Tensor>();
  const rows = tf.tensor1d(
    places.map(place => Math.max(place, 0)),
    'int32',
  );
  for (const [name, tensor] of source.stepTensors) {
    if (!isByToken(tensor, source)) continue;
    const [width] = tensor.shape.slice(2) as [number];
    const flat = tf.tidy(() => tf.gather(tf.reshape(tensor, [-1, width]), rows));
    taken.set(name, tf.tidy(() => tf.reshape(flat, [lanes, time, width]))); // prettier-ignore
    flat.dispose();
  }
  rows.dispose();
  return taken;
}

/** Whether a tensor of the step holds something for every token of the batch. */
export function isByToken({ rank, shape }: tf.Tensor, { batch, time }: Pick<TokenSource, 'batch' | 'time'>): boolean {
  return rank === 3 && shape[0] === batch && shape[1] === time;
}
