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

/** Which axis of a weight the input features lie along: 1 for torch.nn.Linear, 0 for GPT-2's Conv1D. */
export type InputAxis = 0 | 1;

/** Packs a weight that comes a few rows at a time. */
export interface RowPacker {
  /** How many times all rows come: a second time where the first one only measures. */
  readonly rounds: 1 | 2;
  /**
   * Takes the next rows.
   *
   * @param values - `[some, columns]`; they are not kept, nor left as they were
   * @throws Problem for a value that is not finite, or in f16 too large
   */
  add(values: Float32Array): void;
  /** After the last row of the last round. */
  finish(): PackedWeight;
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
