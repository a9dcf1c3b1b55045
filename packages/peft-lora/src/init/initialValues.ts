import { problem, type SeededRandom } from '@dropbp/basics';
import type { Matrix } from 'ml-matrix';
import { normalMatrix, orthonormalColumns, toFloat32 } from './linearAlgebra.ts';
import type { LoraLayer } from '../plan/loraLayers.ts';
import type { Initialization } from '../plan/settings.ts';

/** Row-major values of a layer's two matrices: `[rank, inFeatures]` and `[outFeatures, rank]`. */
export interface LoraValues {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/**
 * Draws the first values of a layer as PEFT does. Of an embedding, whatever the initialisation, A is zero and B normal; with
 * `false` both are normal.
 *
 * @throws Problem for an odd rank with `'orthogonal'`
 */
export function initialValues(layer: LoraLayer, initialization: Initialization, random: SeededRandom): LoraValues {
  const { kind, rank, inFeatures, outFeatures } = layer;
  const [sizeOfA, sizeOfB] = [rank * inFeatures, outFeatures * rank];
  const normal = (): number => random.normal();
  const uniform = (bound: number) => (): number => (2 * random() - 1) * bound;
  if (kind === 'embedding') {
    const a = initialization === false ? drawValues(sizeOfA, normal) : new Float32Array(sizeOfA);
    return { a, b: drawValues(sizeOfB, normal) };
  }
  if (initialization === 'orthogonal') return orthogonalValues(layer, random);
  const bound = 1 / Math.sqrt(inFeatures);
  return {
    a: drawValues(sizeOfA, initialization === 'gaussian' ? () => random.normal() / rank : uniform(bound)),
    b: initialization === false ? drawValues(sizeOfB, uniform(1 / Math.sqrt(rank))) : new Float32Array(sizeOfB),
  };
}

/** Draws the first bias of B: zero, or as PyTorch's linear layers have it with `false`. */
export function initialBias(
  { rank, outFeatures }: LoraLayer,
  initialization: Initialization,
  random: SeededRandom,
): Float32Array {
  const bound = 1 / Math.sqrt(rank);
  return initialization === false
    ? drawValues(outFeatures, () => (2 * random() - 1) * bound)
    : new Float32Array(outFeatures);
}

/** A and B from rows of one orthogonal matrix, A from the even and B from the odd ones: their product is zero. */
function orthogonalValues({ module, rank, inFeatures, outFeatures }: LoraLayer, random: SeededRandom): LoraValues {
  if (rank % 2 !== 0) {
    throw problem('peft-lora', {
      what: `initialization 'orthogonal' divides the rank of '${module}' in two`,
      got: rank,
      expected: 'an even rank',
    });
  }
  const half = rank / 2;
  const orthogonal = orthonormalColumns(normalMatrix(rank, rank, random));
  const rowsFrom = (first: number): Matrix => orthogonal.subMatrixRow(Array.from({ length: half }, (_, i) => first + 2 * i)); // prettier-ignore
  return {
    a: toFloat32(
      rowsFrom(0)
        .transpose()
        .mmul(normalMatrix(half, inFeatures, random))
        .div(10),
    ),
    b: toFloat32(normalMatrix(outFeatures, half, random).mmul(rowsFrom(1)).div(10)),
  };
}

function drawValues(length: number, draw: () => number): Float32Array {
  return Float32Array.from({ length }, draw);
}
