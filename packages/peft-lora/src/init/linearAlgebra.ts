import type { SeededRandom } from '@dropbp/basics';
import { EigenvalueDecomposition, Matrix, QrDecomposition, SingularValueDecomposition } from 'ml-matrix';

// Decompositions on the host, in float64.

/** The largest singular values of a matrix `[m, n]` with their vectors, largest first: `left · diag(values) · rightᵀ`. */
export interface SingularTriplets {
  /** `[m, count]` */
  readonly left: Matrix;
  readonly values: readonly number[];
  /** `[n, count]` */
  readonly right: Matrix;
}

/** A matrix of row-major values. */
export function fromFloat32(values: Float32Array, rows: number, columns: number): Matrix {
  const matrix = new Matrix(rows, columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) matrix.set(i, j, values[i * columns + j]!);
  }
  return matrix;
}

/** Row-major values. */
export function toFloat32(matrix: Matrix): Float32Array {
  const { rows, columns } = matrix;
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) values[i * columns + j] = matrix.get(i, j);
  }
  return values;
}

/** Independent samples of the standard normal distribution. */
export function normalMatrix(rows: number, columns: number, random: SeededRandom): Matrix {
  return fromFloat32(
    Float32Array.from({ length: rows * columns }, () => random.normal()),
    rows,
    columns,
  );
}

/**
 * The `count` largest singular values, exactly: from the eigenvectors of `matrixᵀ · matrix` or `matrix · matrixᵀ`, whichever is
 * smaller, which takes about a third of a full decomposition. A value below 1e-8 of the largest is not told from zero.
 */
export function largestSingular(matrix: Matrix, count: number): SingularTriplets {
  if (matrix.rows < matrix.columns) return swapSides(largestSingular(matrix.transpose(), count));
  const { eigenvectorMatrix } = new EigenvalueDecomposition(matrix.transpose().mmul(matrix), { assumeSymmetric: true });
  // In ascending order.
  const last = matrix.columns - 1;
  const right = eigenvectorMatrix.subMatrixColumn(Array.from({ length: count }, (_, i) => last - i));
  const scaledLeft = matrix.mmul(right);
  const values = Array.from({ length: count }, (_, i) => scaledLeft.getColumnVector(i).norm());
  const left = scaledLeft.mulRowVector(values.map(value => (value === 0 ? 0 : 1 / value)));
  return { left, values, right };
}

/**
 * The `count` largest singular values, nearly, by subspace iteration from a random start: `iterations` of them make it nearer.
 * Source: Halko, Martinsson and Tropp, arXiv 0909.4061, algorithms 4.4 and 5.1, as torch.svd_lowrank.
 */
export function approximateSingular(
  matrix: Matrix,
  count: number,
  iterations: number,
  random: SeededRandom,
): SingularTriplets {
  const transposed = matrix.transpose();
  let basis = orthonormalColumns(matrix.mmul(normalMatrix(matrix.columns, count, random)));
  for (let i = 0; i < iterations; i++) {
    basis = orthonormalColumns(matrix.mmul(orthonormalColumns(transposed.mmul(basis))));
  }
  const { left, values, right } = smallSingular(basis.transpose().mmul(matrix));
  return { left: basis.mmul(left), values, right };
}

/** All singular values of a matrix with few rows. */
export function smallSingular(matrix: Matrix): SingularTriplets {
  const svd = new SingularValueDecomposition(matrix, { autoTranspose: true });
  return { left: svd.leftSingularVectors, values: svd.diagonal, right: svd.rightSingularVectors };
}

/** Q `[m, n]` of the QR decomposition of a matrix `[m, n]` with m ≥ n. */
export function orthonormalColumns(matrix: Matrix): Matrix {
  return new QrDecomposition(matrix).orthogonalMatrix;
}

/** Q `[m, n]` and R `[n, n]` of a matrix `[m, n]` with m ≥ n. */
export function thinQr(matrix: Matrix): { readonly q: Matrix; readonly r: Matrix } {
  const { orthogonalMatrix, upperTriangularMatrix } = new QrDecomposition(matrix);
  return { q: orthogonalMatrix, r: upperTriangularMatrix };
}

function swapSides({ left, values, right }: SingularTriplets): SingularTriplets {
  return { left: right, values, right: left };
}
