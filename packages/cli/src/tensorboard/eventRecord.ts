import { crc32c } from './crc32c.ts';
import { concat, doubleField, floatField, messageField, textField, varintField, type Field } from './protobuf.ts';

// What TensorBoard reads: TFRecord framing around `Event` messages. Sources: tensorflow/core/lib/io/record_writer.cc and
// tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto.

/** An event without its frame. */
export interface BoardEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
}

/** The first record of a file. */
export function versionRecord({ wallTime }: Pick<BoardEvent, 'wallTime'>): Uint8Array {
  return frame([doubleField(1, wallTime), textField(3, 'brain.Event:2')]);
}

/** Tells TensorBoard that a run goes on: what it has read of this step and later ones does not count any more. */
export function restartRecord(event: BoardEvent): Uint8Array {
  const start = 1;
  return frame([...head(event), messageField(7, [varintField(1, start)])]);
}

/** Numbers by tag: `'train/loss'`. */
export function scalarsRecord(event: BoardEvent, values: Readonly<Record<string, number>>): Uint8Array {
  const summaries = Object.entries(values).map(([tag, value]) =>
    messageField(1, [textField(1, tag), floatField(2, value)]),
  );
  return frame([...head(event), messageField(5, summaries)]);
}

/** A text, which TensorBoard shows as Markdown. */
export function textRecord(event: BoardEvent, tag: string, text: string): Uint8Array {
  const string = 7;
  const tensor = messageField(8, [varintField(1, string), messageField(2, []), textField(8, text)]);
  const plugin = messageField(9, [messageField(1, [textField(1, 'text')])]);
  return frame([...head(event), messageField(5, [messageField(1, [textField(1, tag), tensor, plugin])])]);
}

function head({ wallTime, step }: BoardEvent): Field[] {
  return [doubleField(1, wallTime), varintField(2, step)];
}

/** Length, its checksum, the bytes, their checksum. */
function frame(fields: readonly Field[]): Uint8Array {
  const data = concat(fields);
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(data.length), true);
  const lengthBytes = new Uint8Array(length.buffer);
  return concat([lengthBytes, masked(lengthBytes), data, masked(data)]);
}

/** A checksum is turned and shifted, so that one over data that holds one is not weaker. */
function masked(bytes: Uint8Array): Uint8Array {
  const crc = crc32c(bytes);
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, true);
  return new Uint8Array(view.buffer);
}
