import { sizeOf } from '../../graph/shape.ts';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import { bytesPerElement } from '../../onnx/elementType.ts';

/** Bytes of the values between a model's nodes: the most that are alive at once, where the nodes run in their order. */
export function temporaryBytes({ nodes, outputs, values }: OnnxModel): number {
  const written = new Set(outputs.map(output => output.name));
  /** The value whose memory each value is: a reshaped one is not copied. */
  const owners = new Map<string, string>();
  const ownerOf = (name: string): string => owners.get(name) ?? name;
  const lastReads = new Map<string, number>();
  nodes.forEach(({ op, inputs, outputs: made }, index) => {
    if (op === 'Reshape') owners.set(made[0]!, ownerOf(inputs[0]!));
    for (const name of inputs) lastReads.set(ownerOf(name), index);
  });
  const alive = new Map<string, number>();
  let bytes = 0;
  let most = 0;
  nodes.forEach(({ inputs, outputs: made }, index) => {
    for (const name of made) {
      const value = values.get(name);
      if (value === undefined || owners.has(name) || written.has(name)) continue;
      const size = sizeOf(value.shape) * bytesPerElement[value.dtype];
      alive.set(name, size);
      bytes += size;
    }
    most = Math.max(most, bytes);
    for (const name of inputs) {
      const owner = ownerOf(name);
      if (lastReads.get(owner) !== index) continue;
      bytes -= alive.get(owner) ?? 0;
      alive.delete(owner);
    }
  });
  return most;
}
