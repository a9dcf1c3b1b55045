import type { TensorInfo } from '@dropbp/safetensors';
import { formatBytes, formatCount } from '../../terminal/formatNumber.ts';
import type { Styled } from '../../terminal/paint.ts';
import { styledTable } from '../../terminal/table.ts';

/** A tensor in a listing. */
export interface ListedTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly sizeBytes: number;
}

/** A file's tensors, in the file's order. */
export function listTensors(tensors: ReadonlyMap<string, TensorInfo>): ListedTensor[] {
  return [...tensors].map(([name, { dtype, shape, sizeBytes }]) => ({ name, dtype, shape, sizeBytes }));
}

/** Elements of a tensor. */
export function countElements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Tensors as a table. */
export function tensorTable(tensors: readonly ListedTensor[]): Styled {
  return styledTable({
    header: ['tensor', 'type', 'shape', 'size'],
    rows: tensors.map(({ name, dtype, shape, sizeBytes }) => [name, dtype, shape.join(' × '), formatBytes(sizeBytes)]),
    rightAligned: [3],
  });
}

/** What the tensors of each type come to. */
export function dtypeTotals(
  tensors: readonly ListedTensor[],
): { dtype: string; tensors: number; parameters: number; sizeBytes: number }[] {
  const dtypes = [...new Set(tensors.map(tensor => tensor.dtype))];
  return dtypes.map(dtype => {
    const own = tensors.filter(tensor => tensor.dtype === dtype);
    return {
      dtype,
      tensors: own.length,
      parameters: own.reduce((sum, tensor) => sum + countElements(tensor.shape), 0),
      sizeBytes: own.reduce((sum, tensor) => sum + tensor.sizeBytes, 0),
    };
  });
}

/** `'59 tensors, 3,064,320 values, 5.84 MiB (BF16)'`. */
export function totalLine(tensors: readonly ListedTensor[]): string {
  const totals = dtypeTotals(tensors);
  const sum = (key: 'parameters' | 'sizeBytes'): number => totals.reduce((all, row) => all + row[key], 0);
  const types = totals.map(({ dtype }) => dtype).join(', ') || 'none';
  const tensorsInAll = `${formatCount(tensors.length)} ${tensors.length === 1 ? 'tensor' : 'tensors'}`;
  return `${tensorsInAll}, ${formatCount(sum('parameters'))} values, ${formatBytes(sum('sizeBytes'))} (${types})`;
}
