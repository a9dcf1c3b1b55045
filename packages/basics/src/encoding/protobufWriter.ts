/** Writes one protobuf message: fields in any order, nested messages as bytes. Source: protobuf.dev/programming-guides/encoding. */
export class ProtobufWriter {
  readonly #parts: Uint8Array[] = [];
  #sizeBytes = 0;

  /** A whole number: int32, int64, bool or enum. */
  int(field: number, value: number): this {
    return this.#varint(field << 3).#varint(value);
  }

  /** A number of 32 bits. */
  float(field: number, value: number): this {
    return this.#varint((field << 3) | 5).#append(new Uint8Array(new Float32Array([value]).buffer));
  }

  /** A number of 64 bits. */
  double(field: number, value: number): this {
    return this.#varint((field << 3) | 1).#append(new Uint8Array(new Float64Array([value]).buffer));
  }

  /** Bytes as they are. */
  bytes(field: number, value: Uint8Array): this {
    return this.#varint((field << 3) | 2)
      .#varint(value.length)
      .#append(value);
  }

  /** Announces bytes that follow what this writer holds. */
  lengthOf(field: number, length: number): this {
    return this.#varint((field << 3) | 2).#varint(length);
  }

  /** A nested message of which some bytes are still to follow. */
  open(field: number, value: ProtobufWriter, following: number): this {
    const start = value.finish();
    return this.lengthOf(field, start.length + following).#append(start);
  }

  /** A text, in UTF-8. */
  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  /** A message within this one. */
  message(field: number, value: ProtobufWriter): this {
    return this.bytes(field, value.finish());
  }

  /** The whole message. */
  finish(): Uint8Array<ArrayBuffer> {
    const result = new Uint8Array(this.#sizeBytes);
    let offset = 0;
    for (const part of this.#parts) {
      result.set(part, offset);
      offset += part.length;
    }
    return result;
  }

  #varint(value: number): this {
    // Negative numbers are ten bytes of two's complement, beyond what a double holds.
    let rest = BigInt.asUintN(64, BigInt(value));
    const bytes: number[] = [];
    do {
      const low = Number(rest & 127n);
      rest >>= 7n;
      bytes.push(rest > 0n ? low | 128 : low);
    } while (rest > 0n);
    return this.#append(Uint8Array.from(bytes));
  }

  #append(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    this.#sizeBytes += bytes.length;
    return this;
  }
}
