import { expect, it } from 'vitest';
import type { OnnxModel, OnnxNode } from '../../onnx/onnxModel.ts';
import { temporaryBytes } from './temporaryBytes.ts';

const value = (name: string, size: number) => ({ name, shape: [size], dtype: 'float32' as const });
const node = (op: string, inputs: string[], output: string): OnnxNode => ({ op, inputs, outputs: [output], attributes: {}, domain: '' }); // prettier-ignore

function model(nodes: OnnxNode[], sizes: Readonly<Record<string, number>>, output: string): OnnxModel {
  const values = new Map(Object.entries(sizes).map(([name, size]) => [name, value(name, size)]));
  return { name: 'm', nodes, inputs: [values.get('x')!], outputs: [values.get(output)!], constants: [], values };
}

it('is the most that lies between nodes at once, without inputs and outputs', () => {
  const chain = [node('Neg', ['x'], 'a'), node('Neg', ['a'], 'b'), node('Neg', ['b'], 'c'), node('Neg', ['c'], 'y')];
  expect(temporaryBytes(model(chain, { x: 10, a: 10, b: 30, c: 20, y: 10 }, 'y'))).toBe((30 + 20) * 4);
});

it('holds a value as long as a node reads it', () => {
  const nodes = [
    node('Neg', ['x'], 'a'),
    node('Neg', ['x'], 'b'),
    node('Neg', ['b'], 'c'),
    node('Add', ['a', 'c'], 'y'),
  ];
  expect(temporaryBytes(model(nodes, { x: 10, a: 10, b: 20, c: 10, y: 10 }, 'y'))).toBe((10 + 20 + 10) * 4);
});

it('counts what is reshaped once, as long as it is read by either name', () => {
  const nodes = [
    node('Neg', ['x'], 'a'),
    node('Reshape', ['a', 's'], 'r'),
    node('Neg', ['x'], 'b'),
    node('Add', ['r', 'b'], 'y'),
  ];
  expect(temporaryBytes(model(nodes, { x: 10, a: 10, r: 10, b: 10, y: 10 }, 'y'))).toBe((10 + 10) * 4);
  const ofInput = [node('Reshape', ['x', 's'], 'r'), node('Neg', ['r'], 'y')];
  expect(temporaryBytes(model(ofInput, { x: 10, r: 10, y: 10 }, 'y'))).toBe(0);
});
