import { problem } from '@dropbp/basics';
import type { PackedForm } from '@dropbp/engine';
import type { ElementArray, ElementType } from '../onnx/elementType.ts';
import type { Shape } from '../graph/shape.ts';

/** What of a packed weight follows from its shape and form alone: weights of one layout share sessions. */
export interface PackedLayout {
  readonly form: PackedForm;
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
