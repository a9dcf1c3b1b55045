/** A value of Thrift's compact protocol. Source: thrift-compact-protocol.md of Apache Thrift. */
export type Thrift =
  | { type: 1 }
  | { type: 2 }
  | { type: 3 | 4 | 5 | 6; value: bigint }
  | { type: 7; bytes: Uint8Array }
  | { type: 8; bytes: Uint8Array }
  | { type: 9 | 10; items: Thrift[]; itemType: number; count?: number }
  | { type: 12; fields: Field[] };

export interface Field {
  id: number;
  value: Thrift;
}

export type Struct = Extract<Thrift, { type: 12 }>;

/** @returns the struct, and where it ends */
export function readStruct(bytes: Uint8Array, start: number): { struct: Struct; end: number } {
  let at = start;
  const byte = (): number => {
    if (at >= bytes.length) throw new Error('behind the end');
    return bytes[at++]!;
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const next = byte();
      value |= BigInt(next & 0x7f) << shift;
      if (next < 0x80) return value;
    }
  };
  const integer = (): bigint => {
    const value = varint();
    return (value >> 1n) ^ -(value & 1n);
  };
  const struct = (): Struct => {
    const fields: Field[] = [];
    for (let id = 0; ;) {
      const head = byte();
      if (head === 0) return { type: 12, fields };
      id = head >> 4 === 0 ? Number(integer()) : id + (head >> 4);
      fields.push({ id, value: value(head & 15) });
    }
  };
  const value = (type: number): Thrift => {
    if (type === 1 || type === 2) return { type };
    if (type === 3) return { type, value: BigInt(byte()) };
    if (type === 4 || type === 5 || type === 6) return { type, value: integer() };
    if (type === 7) return { type, bytes: bytes.slice(at, (at += 8)) };
    if (type === 8) {
      const length = Number(varint());
      return { type, bytes: bytes.slice(at, (at += length)) };
    }
    if (type === 9 || type === 10) {
      const head = byte();
      const count = head >> 4 === 15 ? Number(varint()) : head >> 4;
      const itemType = head & 15;
      const item = (): Thrift =>
        itemType === 1 || itemType === 2 ? (byte() === 1 ? { type: 1 } : { type: 2 }) : value(itemType);
      return { type, itemType, items: Array.from({ length: count }, item) };
    }
    if (type === 12) return struct();
    throw new Error(`type ${type}`);
  };
  const read = struct();
  return { struct: read, end: at };
}

export function writeStruct(struct: Struct): Uint8Array {
  const out: number[] = [];
  const varint = (value: bigint): void => {
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
    out.push(Number(rest));
  };
  const integer = (value: bigint): void => varint((value << 1n) ^ (value < 0n ? -1n : 0n));
  const write = (value: Thrift): void => {
    if (value.type === 3) out.push(Number(value.value) & 0xff);
    else if (value.type === 4 || value.type === 5 || value.type === 6) integer(value.value);
    else if (value.type === 7) out.push(...value.bytes);
    else if (value.type === 8) {
      varint(BigInt(value.bytes.length));
      out.push(...value.bytes);
    } else if (value.type === 9 || value.type === 10) {
      const count = value.count ?? value.items.length;
      if (count < 15) out.push((count << 4) | value.itemType);
      else {
        out.push(0xf0 | value.itemType);
        varint(BigInt(count));
      }
      for (const item of value.items) {
        if (item.type === 1 || item.type === 2) out.push(item.type);
        else write(item);
      }
    } else if (value.type === 12) fields(value.fields);
  };
  const fields = (list: readonly Field[]): void => {
    let before = 0;
    for (const { id, value } of list) {
      const delta = id - before;
      if (delta > 0 && delta < 16) out.push((delta << 4) | value.type);
      else {
        out.push(value.type);
        integer(BigInt(id));
      }
      before = id;
      write(value);
    }
    out.push(0);
  };
  fields(struct.fields);
  return Uint8Array.from(out);
}
