import type { ElementArray } from '../onnx/elementType.ts';
import { notFinite } from './packWeight.ts';
import type { PackedLayout } from './weightForm.ts';

/**
 * The sixteen values of NF4, quantiles of a normal distribution within [−1, 1].
 * Source: Dettmers et al., "QLoRA", arXiv 2305.14314, appendix E.
 */
export const nf4Values: readonly number[] = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
  -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
];

/** Weights that share a scale. */
export const BLOCK = 64;
/** Scales that share a scale of theirs. */
const SCALE_BLOCK = 256;

/** Halfway between neighbouring values: where the nearest one changes. */
const borders = nf4Values.slice(1).map((value, i) => (value + nf4Values[i]!) / 2);

/** Parts of an NF4 weight: codes, two in a byte, and the blocks' scales in 8 bits (QLoRA's double quantisation). */
export function nf4Blocks(values: Float32Array): {
  data: Record<string, ElementArray>;
  parts: PackedLayout['parts'];
} {
  const blocks = Math.ceil(values.length / BLOCK);
  const codes = new Uint8Array((blocks * BLOCK) / 2);
  const scales = new Float32Array(blocks);
  for (let block = 0; block < blocks; block++) {
    const start = block * BLOCK;
    const end = Math.min(start + BLOCK, values.length);
    let largest = 0;
    for (let i = start; i < end; i++) {
      if (!Number.isFinite(values[i]!)) throw notFinite(values[i]!);
      largest = Math.max(largest, Math.abs(values[i]!));
    }
    scales[block] = largest;
    for (let i = start; i < start + BLOCK; i++) {
      const code = i < end && largest > 0 ? nearest(values[i]! / largest) : ZERO;
      codes[i >> 1]! |= i % 2 === 0 ? code << 4 : code;
    }
  }
  const { data, parts } = packScales(scales);
  return {
    data: { codes, ...data },
    parts: { codes: { shape: [codes.length], dtype: 'uint8' }, ...parts },
  };
}

const ZERO = nf4Values.indexOf(0);

function nearest(value: number): number {
  let low = 0;
  let high = borders.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value > borders[middle]!) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Scales, less their mean, in 8 bits with a scale for every {@link SCALE_BLOCK} of them. */
function packScales(scales: Float32Array): { data: Record<string, ElementArray>; parts: PackedLayout['parts'] } {
  const mean = scales.reduce((sum, scale) => sum + scale, 0) / scales.length;
  const groups = Math.ceil(scales.length / SCALE_BLOCK);
  const quantised = new Int8Array(groups * SCALE_BLOCK);
  const steps = new Float32Array(groups);
  for (let group = 0; group < groups; group++) {
    const part = scales.subarray(group * SCALE_BLOCK, (group + 1) * SCALE_BLOCK);
    const largest = part.reduce((most, scale) => Math.max(most, Math.abs(scale - mean)), 0);
    steps[group] = largest / 127;
    if (largest === 0) continue;
    part.forEach((scale, i) => (quantised[group * SCALE_BLOCK + i] = Math.round((scale - mean) / steps[group]!)));
  }
  return {
    data: { scales: quantised, steps, mean: Float32Array.of(mean) },
    parts: {
      scales: { shape: [groups, SCALE_BLOCK], dtype: 'int8' },
      steps: { shape: [groups, 1], dtype: 'float32' },
      mean: { shape: [1], dtype: 'float32' },
    },
  };
}
