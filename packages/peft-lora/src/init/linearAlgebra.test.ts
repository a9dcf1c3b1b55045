import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import {
  approximateSingular,
  fromFloat32,
  largestSingular,
  normalMatrix,
  orthonormalColumns,
  smallSingular,
  thinQr,
  toFloat32,
  type SingularTriplets,
} from './linearAlgebra.ts';

const random = seededRandom(11);

const productOf = ({ left, values, right }: SingularTriplets): Matrix =>
  left.mmul(Matrix.diag([...values])).mmul(right.transpose());
const distance = (a: Matrix, b: Matrix): number => Matrix.sub(a, b).norm();
const expectOrthonormal = (columns: Matrix): void => {
  expect(distance(columns.transpose().mmul(columns), Matrix.eye(columns.columns))).toBeLessThan(1e-10);
};

describe.each([
  ['tall', 12, 5],
  ['wide', 5, 12],
  ['square', 7, 7],
])('a %s matrix', (_, rows, columns) => {
  const matrix = normalMatrix(rows, columns, random);
  const all = new SingularValueDecomposition(matrix, { autoTranspose: true }).diagonal;

  it('has the largest singular values of a full decomposition, with orthonormal vectors', () => {
    const found = largestSingular(matrix, 3);
    found.values.forEach((value, i) => expect(value).toBeCloseTo(all[i]!, 10));
    expectOrthonormal(found.left);
    expectOrthonormal(found.right);
    expect(distance(matrix, productOf(found)) ** 2).toBeCloseTo(
      all.slice(3).reduce((sum, s) => sum + s ** 2, 0),
      8,
    );
  });

  it('has them nearly by iteration, the nearer the more', () => {
    const error = (iterations: number): number =>
      Math.abs(approximateSingular(matrix, 2, iterations, seededRandom(1)).values[0]! - all[0]!);
    expect(error(30)).toBeLessThan(1e-6);
    expect(error(30)).toBeLessThan(error(1));
    expectOrthonormal(approximateSingular(matrix, 2, 4, seededRandom(1)).left);
  });

  it('is the product of all its singular values and vectors', () => {
    expect(distance(matrix, productOf(smallSingular(matrix)))).toBeLessThan(1e-10);
  });

  it('comes back from float32', () => {
    expect(distance(matrix, fromFloat32(toFloat32(matrix), rows, columns))).toBeLessThan(1e-5);
  });
});

it('has no direction where a singular value is zero', () => {
  const { values, left } = largestSingular(Matrix.zeros(4, 3), 2);
  expect(values).toEqual([0, 0]);
  expect(left.norm()).toBe(0);
});

it('is the product of Q and R', () => {
  const matrix = normalMatrix(9, 4, random);
  const { q, r } = thinQr(matrix);
  expect(distance(matrix, q.mmul(r))).toBeLessThan(1e-10);
  expectOrthonormal(q);
  // The first columns of Q need the first columns of the matrix alone.
  const first = orthonormalColumns(matrix.subMatrix(0, 8, 0, 1));
  expect(distance(first, q.subMatrix(0, 8, 0, 1))).toBeLessThan(1e-10);
});
