import { describe, expect, it } from 'vitest';
import { Graph, type Value } from '../graph/graph.ts';
import { chooseSaved } from './savedValues.ts';

const large = [128, 128]; // 64 KiB, and so more than what is always kept
const names = (values: readonly Value[]): string[] => values.map(({ name }) => name);

/** x → MatMul → Exp → Neg, and what is kept so that the backward pass has the last one. */
function keptOf(shape: readonly number[], recompute: 'none' | 'cheap') {
  const graph = new Graph();
  const x = graph.input('x', shape, 'float32');
  const product = graph.node('MatMul', [x, x], shape, 'float32');
  const power = graph.node('Exp', [product], shape, 'float32');
  const last = graph.node('Neg', [power], shape, 'float32');
  const { saved, recomputed } = chooseSaved(graph, graph.nodes, [last.name, power.name], recompute);
  return { saved: names(saved), recomputed: recomputed.map(({ op }) => op), product, power, last };
}

describe('chooseSaved', () => {
  it('keeps all that is needed where nothing may run again', () => {
    const { saved, recomputed, last, power } = keptOf(large, 'none');
    expect([saved, recomputed]).toEqual([[last.name, power.name], []]);
  });
  it('keeps one product in place of two cheap values that follow from it', () => {
    const { saved, recomputed, power, product } = keptOf(large, 'cheap');
    // The needed Exp is at hand for Neg, but costs as much as the product that it follows from: it stays.
    expect([saved, recomputed]).toEqual([[power.name], ['Neg']]);
    expect(saved).not.toContain(product.name);
  });
  it('keeps small values: an operation costs more than their memory', () => {
    const { saved, recomputed } = keptOf([4, 4], 'cheap');
    expect(recomputed).toEqual([]);
    expect(saved).toHaveLength(2);
  });
  it('runs cheap nodes on inputs again, in the order of the forward pass, and keeps nothing of them', () => {
    const graph = new Graph();
    const x = graph.input('x', large, 'float32');
    const first = graph.node('Exp', [x], large, 'float32');
    const second = graph.node('Neg', [first], large, 'float32');
    const { saved, recomputed } = chooseSaved(graph, graph.nodes, [second.name, 'x'], 'cheap');
    expect(saved).toEqual([]);
    expect(recomputed.map(({ op }) => op)).toEqual(['Exp', 'Neg']);
  });
  it('never runs a product again, and no value that costs as much in its inputs', () => {
    const graph = new Graph();
    const x = graph.input('x', large, 'float32');
    const [a, b] = [graph.node('MatMul', [x, x], large, 'float32'), graph.node('Softmax', [x], large, 'float32')];
    const sum = graph.node('Add', [a, b], large, 'float32');
    const { saved, recomputed } = chooseSaved(graph, graph.nodes, [sum.name], 'cheap');
    expect([names(saved), recomputed]).toEqual([[sum.name], []]);
  });
  it('makes another shape and what a session cannot return anew, even where nothing may run again', () => {
    const graph = new Graph();
    const x = graph.input('x', large, 'float32');
    const product = graph.node('MatMul', [x, x], large, 'float32');
    const flat = graph.node('Reshape', [product, graph.ints([-1])], [128 * 128], 'float32');
    const whole = graph.node('Cast', [product], large, 'int64');
    const { saved, recomputed } = chooseSaved(graph, graph.nodes, [flat.name, whole.name], 'none');
    expect(names(saved)).toEqual([product.name]);
    expect(recomputed.map(({ op }) => op)).toEqual(['Reshape', 'Cast']);
  });
});
