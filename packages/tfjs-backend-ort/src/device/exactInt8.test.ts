import { describe, expect, it } from 'vitest';
import { Graph } from '../graph/graph.ts';
import { sessionModel } from '../graph/sessionModel.ts';
import type { OnnxModel } from '../onnx/onnxModel.ts';
import { exactInt8, int8Models } from './exactInt8.ts';
import { ortBinding } from './node/ortBinding.ts';

const [rows, inner, columns] = [3, 64, 32];
const a = Uint8Array.from({ length: rows * inner }, (_, i) => (i < inner ? 255 : (i * 89) % 256));
const b = Int8Array.from(
  { length: inner * columns },
  (_, i) => [127, -127, ((i * 37) % 255) - 127][(i % columns) % 3]!,
);
const zero = 3;
const PRODUCT = 'MatMulIntegerToFloat';

function productModel(): OnnxModel {
  const graph = new Graph();
  const [x, w] = [graph.input('a', [rows, inner], 'uint8'), graph.input('b', [inner, columns], 'int8')];
  const [one, z] = [graph.scalar(1, 'float32'), graph.constant(Uint8Array.of(zero), [], 'uint8')];
  const y = graph.node(PRODUCT, [x, w, one, one, z], [rows, columns], 'float32', {
    domain: 'com.microsoft',
  });
  return sessionModel('product', graph, graph.nodes, [y]);
}

function run(model: OnnxModel): number[] {
  const session = ortBinding().load(model, {});
  const data = new Float32Array(rows * columns);
  session.run(
    {
      a: { type: 'uint8', dims: [rows, inner], data: a, location: 'cpu' },
      b: { type: 'int8', dims: [inner, columns], data: b, location: 'cpu' },
    },
    { [model.outputs[0]!.name]: { type: 'float32', dims: [rows, columns], data, location: 'cpu' } },
  );
  session.dispose();
  return [...data];
}

describe('products of uint8 and int8', () => {
  const expected = Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let i = 0; i < inner; i++) sum += (a[row * inner + i]! - zero) * b[i * columns + column]!;
    return sum;
  });
  it('are exact, moved by 128', () => {
    const moved = exactInt8(productModel());
    expect(moved.nodes.map(({ op }) => op)).toEqual(['BitwiseXor', 'Cast', PRODUCT]);
    expect(run(moved)).toEqual(expected);
  });
  it('move a weight once that two of them read', () => {
    const model = productModel();
    const [product] = model.nodes;
    const twice = exactInt8({ ...model, nodes: [product!, { ...product!, outputs: ['again'] }] });
    expect(twice.nodes.map(({ op }) => op)).toEqual(['BitwiseXor', 'Cast', PRODUCT, PRODUCT]);
    expect(twice.nodes[3]!.inputs).toEqual(twice.nodes[2]!.inputs);
  });
  it('are exact as they are loaded on this processor', () => {
    expect(run(int8Models(ortBinding())(productModel()))).toEqual(expected);
  });
});
