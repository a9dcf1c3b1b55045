import { describe, expect, it } from 'vitest';
import { Graph } from '../../graph/graph.ts';
import { sessionModel } from '../../graph/sessionModel.ts';
import { sizeOf } from '../../graph/shape.ts';
import { kernelTable } from '../../kernels/kernelTable.ts';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import { nodeCpu } from '../node/nodeCpu.ts';
import { nodesForCpu, webgpuModel } from './webgpuModel.ts';

/** The model of one kernel on float32 inputs of these shapes. */
function modelOf(kernel: string, shapes: Readonly<Record<string, number[]>>, attrs: object = {}): OnnxModel {
  const graph = new Graph();
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, graph.input(`input.${name}`, shape, 'float32')]),
  );
  const outputs = [kernelTable.get(kernel)!.build(graph, inputs, attrs)].flat().map(value => graph.asOutput(value));
  return sessionModel(kernel, graph, graph.nodes, outputs);
}

/** The model of one output alone. */
function outputOf(index: number, model: OnnxModel): OnnxModel {
  return { ...model, outputs: [model.outputs[index]!] };
}

/** What the model computes, on the CPU. */
function run(model: OnnxModel): number[] {
  const device = nodeCpu(1);
  const feeds = Object.fromEntries(
    model.inputs.map(({ name, shape }, k) => {
      const numbers = Float32Array.from({ length: sizeOf(shape) }, (_, i) => 0.5 + ((7 * i + 3 * k) % 11) / 5);
      return [name, { handle: device.upload(numbers, shape, 'float32'), dims: shape }];
    }),
  );
  const [{ name, shape }] = model.outputs as [OnnxModel['outputs'][number]];
  const output = device.alloc(shape, 'float32');
  device.run(device.load(model), feeds, { [name]: output });
  return [...device.readSync!(output)];
}

const operations = ({ nodes }: OnnxModel): string[] => nodes.map(({ op }) => op);

describe('webgpuModel', () => {
  it.each([
    ['FusedMatMul', modelOf('BatchMatMul', { a: [2, 3, 4], b: [2, 5, 4] }, { transposeB: true }), ['Transpose', 'MatMul']], // prettier-ignore
    ['FusedMatMul', modelOf('BatchMatMul', { a: [2, 4, 3], b: [4, 5] }, { transposeA: true }), ['Transpose', 'MatMul']],
    ['FusedMatMul', modelOf('BatchMatMul', { a: [4, 3], b: [2, 5, 4] }, { transposeA: true, transposeB: true }), ['Transpose', 'Transpose', 'MatMul']], // prettier-ignore
    ['Pow', modelOf('Pow', { a: [2, 3], b: [3] }), ['Expand', 'Pow']],
    ['Pow', modelOf('Pow', { a: [2, 1], b: [1, 3] }), ['Expand', 'Expand', 'Pow']],
    ['Slice', modelOf('StridedSlice', { x: [7, 5] }, { begin: [5, 1], end: [0, 5], strides: [-2, 2], beginMask: 0, endMask: 0, ellipsisMask: 0, newAxisMask: 0, shrinkAxisMask: 0 }), ['Slice', 'Slice']], // prettier-ignore
    ['Split', outputOf(4, modelOf('SplitV', { x: [2, 10] }, { numOrSizeSplits: [1, 1, 1, 1, 2, 1, 1, 2], axis: 1 })), ['Slice']], // prettier-ignore
    ['Reshape', modelOf('DropbpAfter', { x: [2, 3], y: [4] }), ['Slice', 'Equal', 'Where']],
    ['Reshape', modelOf('DropbpAfter', { x: [2, 3], y: [2, 2], z: [] }), ['Slice', 'Reshape', 'Equal', 'Where', 'Reshape', 'Equal', 'Where']], // prettier-ignore
  ])('writes %s in operations that compute the same', (op, model, expected) => {
    expect(operations(model)).toContain(op);
    const lowered = webgpuModel(model);
    expect(operations(lowered)).toEqual(expected);
    expect(run(lowered)).toEqual(run(model));
  });

  it.each([
    ['Pow', modelOf('Pow', { a: [2, 3], b: [] })],
    ['Pow', modelOf('Pow', { a: [2, 3], b: [2, 3] })],
    ['Slice', modelOf('Slice', { x: [4, 4] }, { begin: [1, 1], size: [2, 3] })],
    ['Split', outputOf(1, modelOf('SplitV', { x: [2, 7] }, { numOrSizeSplits: 7, axis: 1 }))],
    ['Reshape', modelOf('Reshape', { x: [4, 4] }, { shape: [2, 8] })],
  ])('leaves %s alone where it works', (_, model) => {
    expect(webgpuModel(model).nodes).toEqual(model.nodes);
  });

  it('names the nodes that the GPU computes too roughly', () => {
    expect(nodesForCpu(modelOf('Asin', { x: [2] }))).toEqual(['Asin_0']);
    expect(nodesForCpu(modelOf('Atan', { x: [2] }))).toEqual([]);
  });
});
