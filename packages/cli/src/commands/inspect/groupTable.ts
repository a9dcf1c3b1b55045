import { formatBytes, formatCount } from '../../terminal/formatNumber.ts';
import type { Styled } from '../../terminal/paint.ts';
import { styledTable } from '../../terminal/table.ts';
import { groupTensors } from './groupTensors.ts';
import type { ListedTensor } from './tensorList.ts';

/** Tensors as a table, those of all layers in one row. */
export function groupTable(tensors: readonly ListedTensor[]): Styled {
  return styledTable({
    header: ['tensor', 'shape', 'type', 'count', 'size'],
    rows: groupTensors(tensors).map(({ pattern, tensors: [first, ...others] }) => [
      // PEFT's prefix says nothing about this adapter.
      pattern.replace(/^base_model\.model\./, ''),
      first!.shape.join(' × '),
      first!.dtype,
      formatCount(1 + others.length),
      formatBytes([first!, ...others].reduce((sum, tensor) => sum + tensor.sizeBytes, 0)),
    ]),
    rightAligned: [3, 4],
  });
}
