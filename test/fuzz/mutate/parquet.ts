import { changesOf, encodeText, type Draw, type Mutate } from './draw.ts';
import { readStruct, writeStruct, type Struct, type Thrift } from './thrift.ts';

// Changes what a Parquet file says of itself: its footer, or the header in front of one of its pages. Where a header changes
// its length, the offsets behind it in the footer move along, so that the file stays whole but for the change.

export const mutateParquet: Mutate = (input, draw) => {
  const footerLength = new DataView(input.buffer, input.byteOffset).getUint32(input.length - 8, true);
  const footerAt = input.length - 8 - footerLength;
  const { struct: footer } = readStruct(input, footerAt);
  let body = input.subarray(0, footerAt);
  if (draw.chance(0.4)) body = mutatePage(body, footer, draw);
  else for (let i = changesOf(draw); i > 0; i--) mutateStruct(footer, draw);
  const written = writeStruct(footer);
  const tail = new Uint8Array(8);
  const length = draw.chance(0.03) ? draw.pick([0, 1, written.length - 1, written.length + 1, 0xffff_ffff]) : written.length; // prettier-ignore
  new DataView(tail.buffer).setUint32(0, length, true);
  tail.set(encodeText('PAR1'), 4);
  return new Uint8Array(Buffer.concat([body, written, tail]));
};

const fieldOf = (struct: Struct, id: number): Thrift | undefined => struct.fields.find(field => field.id === id)?.value;
const itemsOf = (value: Thrift | undefined): Struct[] =>
  value !== undefined && 'items' in value ? value.items.filter(item => item.type === 12) : [];

/** ColumnMetaData of each column of each group of rows. */
function columnsOf(footer: Struct): Struct[] {
  return itemsOf(fieldOf(footer, 4))
    .flatMap(group => itemsOf(fieldOf(group, 1)))
    .map(chunk => fieldOf(chunk, 3))
    .filter(value => value?.type === 12);
}

function mutatePage(body: Uint8Array, footer: Struct, draw: Draw): Uint8Array {
  const columns = columnsOf(footer);
  const column = draw.pick(columns);
  const offsets = [9, 11].flatMap(id => {
    const value = fieldOf(column, id);
    return value?.type === 6 ? [Number(value.value)] : [];
  });
  const at = draw.pick(offsets);
  const { struct: header, end } = readStruct(body, at);
  for (let i = changesOf(draw); i > 0; i--) mutateStruct(header, draw);
  const written = writeStruct(header);
  const grown = written.length - (end - at);
  for (const other of columns) {
    for (const id of [9, 10, 11]) {
      const value = fieldOf(other, id);
      if (value?.type === 6 && Number(value.value) > at) value.value += BigInt(grown);
    }
  }
  const total = fieldOf(column, 7);
  if (total?.type === 6) total.value += BigInt(grown);
  return new Uint8Array(Buffer.concat([body.subarray(0, at), written, body.subarray(end)]));
}

/** Changes one field, item or value, anywhere in it. */
function mutateStruct(root: Struct, draw: Draw): void {
  let struct = root;
  for (;;) {
    if (struct.fields.length === 0) return;
    const field = draw.pick(struct.fields);
    const { value } = field;
    if (value.type === 12 && draw.chance(0.85)) struct = value;
    else if ('items' in value && value.items.some(item => item.type === 12) && draw.chance(0.85)) {
      struct = draw.pick(value.items.filter(item => item.type === 12));
    } else {
      const fields = struct.fields;
      const changes = [
        () => void fields.splice(fields.indexOf(field), 1),
        () => void fields.push({ id: draw.pick([1, 2, 3, field.id, 40, 32_767]), value }),
        () => void (field.id = draw.below(16)),
        ...Array.from({ length: 6 }, () => () => void (field.value = changed(value, draw))),
      ];
      draw.pick(changes)();
      return;
    }
  }
}

function changed(value: Thrift, draw: Draw): Thrift {
  if (value.type === 1) return { type: 2 };
  if (value.type === 2) return { type: 1 };
  if (value.type === 8) {
    const text = draw.pick(['', 'text', 'messages', 'a\u001b[31m', '__proto__', 'x'.repeat(5_000), 'list', 'element']);
    return { type: 8, bytes: draw.chance(0.7) ? encodeText(text) : Uint8Array.of(0xff, 0xfe) };
  }
  if ('items' in value) {
    const { items } = value;
    const at = draw.below(items.length + 1);
    return draw.pick<() => Thrift>([
      () => ({ ...value, items: items.toSpliced(at, 1) }),
      () => ({ ...value, items: items.toSpliced(at, 0, ...items.slice(0, 1)) }),
      () => ({ ...value, items: items.toReversed() }),
      () => ({ ...value, items: [] }),
      () => ({ ...value, count: draw.pick([0, 1, items.length + 1, 1_000, 2 ** 31 - 1]) }),
    ])();
  }
  if (value.type === 12) return { type: 12, fields: draw.chance(0.5) ? [] : value.fields.toReversed() };
  if (value.type === 7) return value;
  const old = value.value;
  const numbers = [
    0n,
    1n,
    -1n,
    2n,
    3n,
    4n,
    5n,
    6n,
    7n,
    8n,
    9n,
    15n,
    old + 1n,
    old - 1n,
    old * 2n,
    old * 1000n,
    old / 2n,
  ];
  const large = [2n ** 31n - 1n, 2n ** 32n, 2n ** 53n, 2n ** 62n, -(2n ** 31n), 1_000_000_000n];
  return { type: value.type, value: draw.pick(draw.chance(0.85) ? numbers : large) };
}
