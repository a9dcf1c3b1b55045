import type { Results, TracedFunction } from '@dropbp/engine';
import { ortBackend } from '../backend/register.ts';
import { neededNodes } from '../graph/neededNodes.ts';
import type { OnnxConstant, OnnxNode } from '../onnx/onnxModel.ts';
import { traceForward, type InputShapes } from './tracedFunction.ts';

/** A function as nodes of ONNX: what {@link traceOnnx} gives. */
export interface OnnxTrace {
  /** In an order in which each follows those it reads. */
  readonly nodes: readonly OnnxNode[];
  /** By name: numbers of the function, and tensors that it reads from outside. */
  readonly constants: ReadonlyMap<string, OnnxConstant>;
  /** Names of what the function returns. Those of its inputs are `input.` and their names. */
  readonly outputs: readonly string[];
}

/**
 * Writes down what a function over named tensors computes, for inputs of these shapes, without running it. The backend `ort` must be
 * the one in use.
 *
 * @throws Problem for a kernel that ONNX Runtime does not have
 */
export async function traceOnnx(fn: TracedFunction<Results>, inputs: InputShapes): Promise<OnnxTrace> {
  const { recording, outputs } = traceForward(ortBackend(), fn, inputs);
  try {
    const names = outputs.map(({ name }) => name);
    const constants = new Map<string, OnnxConstant>(recording.graph.constants);
    for (const { name, info } of recording.captured) {
      const tensor = recording.tensorOf(info);
      const data = await tensor.data();
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
      constants.set(name, { name, shape: info.shape, dtype: info.dtype as 'float32', data: bytes });
    }
    return { nodes: neededNodes(recording.graph.nodes, names), constants, outputs: names };
  } finally {
    recording.dispose();
  }
}
