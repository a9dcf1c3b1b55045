import { describe, expect, it } from 'vitest';
import { storedBytes, Graph } from './graph.ts';
import { neededNodes } from './neededNodes.ts';
import { sessionModel } from './sessionModel.ts';
import { broadcastShapes } from './shape.ts';

describe('Graph', () => {
  it('keeps a fill a scalar through elementwise nodes, and writes it out where it must', () => {
    const graph = new Graph();
    const ones = graph.fill(1, [512, 512], 'float32');
    const twos = graph.elementwise('Add', [ones, ones], 'float32');
    expect([twos.shape, twos.stored, storedBytes(twos)]).toEqual([[512, 512], [], 4]);
    const product = graph.node('MatMul', [twos, twos], [512, 512], 'float32');
    expect(product.stored).toEqual([512, 512]);
    expect(graph.nodes.map(node => node.op)).toEqual(['Add', 'Expand', 'Expand', 'MatMul']);
  });
  it('holds equal constants once', () => {
    const graph = new Graph();
    expect(graph.ints([1, 2]).name).toBe(graph.ints([1, 2]).name);
    expect(graph.scalar(1, 'float32').name).not.toBe(graph.scalar(1, 'int32').name);
    expect(graph.constants.size).toBe(3);
  });
  it('gives an input that is returned a name of its own', () => {
    const graph = new Graph();
    const x = graph.input('x', [2], 'float32');
    expect(graph.asOutput(x).name).not.toBe('x');
    const y = graph.node('Neg', [x], [2], 'float32');
    expect(graph.asOutput(y)).toBe(y);
  });
});

it('keeps only the nodes that lead to an output', () => {
  const graph = new Graph();
  const x = graph.input('x', [2], 'float32');
  const y = graph.node('Neg', [x], [2], 'float32');
  graph.node('Exp', [x], [2], 'float32');
  const z = graph.node('Abs', [y], [2], 'float32');
  expect(neededNodes(graph.nodes, [z.name]).map(node => node.op)).toEqual(['Neg', 'Abs']);
  expect(() => sessionModel('cut', graph, graph.nodes.slice(0, 1), [z])).toThrow('no node of cut makes value3');
});

it('broadcasts shapes from the right', () => {
  expect(broadcastShapes([2, 1, 4], [3, 1])).toEqual([2, 3, 4]);
  expect(broadcastShapes([], [3])).toEqual([3]);
  expect(() => broadcastShapes([2], [3])).toThrow('shapes do not broadcast; got [[2],[3]]');
});
