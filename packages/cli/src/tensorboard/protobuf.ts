// The part of Protocol Buffers' wire format that event files need. Source: protobuf.dev/programming-guides/encoding.

/** Fields of a message, one after the other. */
export type Field = Uint8Array;

/** An `int64` or an enum, not negative. */
export function varintField(number: number, value: number): Field {
  return concat([varint(number * 8), varint(value)]);
}

/** A `double`. */
export function doubleField(number: number, value: number): Field {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, value, true);
  return concat([varint(number * 8 + 1), new Uint8Array(bytes.buffer)]);
}

/** A `float`. */
export function floatField(number: number, value: number): Field {
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setFloat32(0, value, true);
  return concat([varint(number * 8 + 5), new Uint8Array(bytes.buffer)]);
}

/** A `string`. */
export function textField(number: number, text: string): Field {
  return messageField(number, [new TextEncoder().encode(text)]);
}

/** A message within a message. */
export function messageField(number: number, fields: readonly Field[]): Field {
  const body = concat(fields);
  return concat([varint(number * 8 + 2), varint(body.length), body]);
}

/** One behind the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  // Not by bits: numbers beyond 2^31 are whole numbers too.
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}
