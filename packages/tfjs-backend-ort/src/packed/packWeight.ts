import type { PackedForm } from '@dropbp/engine';
import { toHalf } from './halfBits.ts';
import { blockPacker } from './packBlocks.ts';
import { int8Packer, tablePacker } from './packInt8.ts';
import type { InputAxis, RowPacker } from './weightForm.ts';

/**
 * Begins to convert a weight `[rows, columns]` of a linear layer.
 *
 * @param isTable - whether rows are looked up in it too
 */
export function packWeight(
  shape: readonly [rows: number, columns: number],
  form: PackedForm,
  inputAxis: InputAxis,
  isTable: boolean,
): RowPacker {
  if (form === 'f16') return halfPacker(shape);
  if (form === 'int8') return isTable ? tablePacker(shape) : int8Packer(shape, inputAxis);
  return blockPacker(shape, form, inputAxis);
}

function halfPacker(shape: readonly [number, number]): RowPacker {
  const values = new Uint16Array(shape[0] * shape[1]);
  let at = 0;
  return {
    rounds: 1,
    add(rows) {
      values.set(toHalf(rows), at);
      at += rows.length;
    },
    finish: () => ({
      layout: { form: 'f16', shape, isTransposed: false, parts: { values: { shape, dtype: 'float16' } } },
      data: { values },
    }),
  };
}
