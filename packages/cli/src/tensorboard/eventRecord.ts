import { ProtobufWriter } from '@dropbp/basics';
import { crc32c } from './crc32c.ts';

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
  return frame(message().double(1, wallTime).string(3, 'brain.Event:2'));
}

/** Tells TensorBoard that a run goes on: what it has read of this step and later ones does not count any more. */
export function restartRecord(event: BoardEvent): Uint8Array {
  const start = 1;
  return frame(head(event).message(7, message().int(1, start)));
}

/** Numbers by tag: `'train/loss'`. */
export function scalarsRecord(event: BoardEvent, values: Readonly<Record<string, number>>): Uint8Array {
  const summary = message();
  for (const [tag, value] of Object.entries(values)) summary.message(1, message().string(1, tag).float(2, value));
  return frame(head(event).message(5, summary));
}

/** A text, which TensorBoard shows as Markdown. */
export function textRecord(event: BoardEvent, tag: string, text: string): Uint8Array {
  const string = 7;
  const tensor = message().int(1, string).message(2, message()).string(8, text);
  const plugin = message().message(1, message().string(1, 'text'));
  const value = message().string(1, tag).message(8, tensor).message(9, plugin);
  return frame(head(event).message(5, message().message(1, value)));
}

function message(): ProtobufWriter {
  return new ProtobufWriter();
}

function head({ wallTime, step }: BoardEvent): ProtobufWriter {
  return message().double(1, wallTime).int(2, step);
}

/** Length, its checksum, the bytes, their checksum. */
function frame(event: ProtobufWriter): Uint8Array {
  const data = event.finish();
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(data.length), true);
  const lengthBytes = new Uint8Array(length.buffer);
  return Buffer.concat([lengthBytes, masked(lengthBytes), data, masked(data)]);
}

/** A checksum is turned and shifted, so that one over data that holds one is not weaker. */
function masked(bytes: Uint8Array): Uint8Array {
  const crc = crc32c(bytes);
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0, true);
  return new Uint8Array(view.buffer);
}
