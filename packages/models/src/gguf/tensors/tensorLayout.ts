/**
 * Undoes what llama.cpp's conversion does to the rows of queries and keys: it turns neighbours within a head, where
 * transformers turns a value of the first half with one of the second. Row (head, i, j) there is row (head, j, i) here,
 * j = 0, 1. Rows of any type can be moved, as no block reaches over two.
 *
 * @param bytes - of a tensor, row by row
 * @param rows - a multiple of twice the heads
 */
export function unpairRows(bytes: Uint8Array, rows: number, heads: number): Uint8Array<ArrayBuffer> {
  return moveRows(bytes, rows, heads, (from, to) => [from, to]);
}

/** Does what {@link unpairRows} undoes. */
export function pairRows(bytes: Uint8Array, rows: number, heads: number): Uint8Array<ArrayBuffer> {
  return moveRows(bytes, rows, heads, (from, to) => [to, from]);
}

type Move = (paired: number, plain: number) => readonly [from: number, to: number];

function moveRows(bytes: Uint8Array, rows: number, heads: number, move: Move): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes.length);
  const rowBytes = bytes.length / rows;
  const headSize = rows / heads;
  for (let row = 0; row < rows; row++) {
    const within = row % headSize;
    const [from, to] = move(row, row - within + (within % 2) * (headSize / 2) + Math.floor(within / 2));
    result.set(bytes.subarray(from * rowBytes, (from + 1) * rowBytes), to * rowBytes);
  }
  return result;
}

/** The transpose of a matrix of 16 or 32 bits an element. */
export function transpose(bytes: Uint8Array<ArrayBuffer>, rows: number, columns: number): Uint8Array<ArrayBuffer> {
  const Elements = bytes.length === 4 * rows * columns ? Uint32Array : Uint16Array;
  const from = new Elements(bytes.buffer, bytes.byteOffset, rows * columns);
  const result = new Elements(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = from[row * columns + column]!;
  }
  return new Uint8Array(result.buffer);
}
