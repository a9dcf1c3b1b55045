import { problem } from '@dropbp/basics';
import type { ElementArray, ElementType } from '../onnx/elementType.ts';
import type { Shape } from '../graph/shape.ts';

/**
 * How a frozen weight is kept:
 * - `'f16'`: half precision
 * - `'int8'`: symmetric, a scale for each output channel. Products with it are computed in int8, activations quantised per row
 * - `'int4'` and `'int6'`: in blocks of 32 along the inputs, each with a scale and a zero point in 8 bits
 */
export type WeightForm = 'f16' | 'int8' | 'int6' | 'int4';

/** What of a packed weight follows from its shape and form alone: weights of one layout share sessions. */
export interface PackedLayout {
  readonly form: WeightForm;
  /** The shape that tfjs sees. */
  readonly shape: Shape;
  /** Whether the matrix lies transposed in memory. */
  readonly isTransposed: boolean;
  /** Elements of each part. */
  readonly parts: Readonly<Record<string, { readonly shape: Shape; readonly dtype: ElementType }>>;
}

/** A weight in a form of fewer bytes, on the host. */
export interface PackedWeight {
  readonly layout: PackedLayout;
  /** By the names of the layout's parts. */
  readonly data: Readonly<Record<string, ElementArray>>;
}

/** What sets the sessions of one layout apart from those of another. */
export function layoutKey({ form, isTransposed, parts }: PackedLayout): string {
  return `${form}${isTransposed ? 'ᵀ' : ''}${parts.columns ? ' table' : ''}`;
}

/** The error of a weight that quantised forms cannot hold. */
export function notFinite(value: number): Error {
  return problem('tfjs-backend-ort', {
    what: 'a weight cannot be kept in fewer bits',
    got: value,
    expected: 'finite numbers',
    fix: 'look for NaN in the checkpoint',
  });
}
