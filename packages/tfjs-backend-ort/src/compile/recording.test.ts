import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ortBackend, traceOnnx } from '../index.ts';
import { trace } from './trace.ts';
import { traceForward, type InputShapes } from './tracedFunction.ts';

type Inputs = Readonly<Record<string, tf.Tensor>>;

beforeAll(() => tf.setBackend('ort'));

const float = (...shape: number[]): InputShapes[string] => ({ shape, dtype: 'float32' });
const constantBytes = (elements: ArrayBufferView): Uint8Array =>
  new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);

describe('trace', () => {
  it('records what sees a traced tensor, and runs everything else', () => {
    const { recording, result } = trace(ortBackend(), recording => {
      const known = tf.exp(tf.tensor1d([0, 0, 0]));
      const traced = tf.add(recording.input('x', [3], 'float32'), known);
      return [recording.isSymbolic(known), recording.isSymbolic(traced)];
    });
    expect(result).toEqual([false, true]);
    expect(recording.graph.nodes.map(({ op }) => op)).toEqual(['Add']);
  });
  it('frees what it leaves behind and puts everything back, where the function fails too', () => {
    const outside = tf.tensor1d(Array.from({ length: 100 }, (_, i) => i));
    const [tensors, random, dataIds] = [tf.memory().numTensors, Math.random, ortBackend().numDataIds()];
    const fails = (): unknown =>
      trace(ortBackend(), recording => {
        tf.add(recording.input('x', [100], 'float32'), outside);
        throw new Error('half way');
      });
    expect(fails).toThrow('half way');
    expect([tf.memory().numTensors, ortBackend().numDataIds()]).toEqual([tensors, dataIds]);
    expect(Math.random).toBe(random);
    expect(ortBackend().recording).toBeUndefined();
    outside.dispose();
  });
  it('refuses random numbers', () => {
    expect(() => trace(ortBackend(), () => Math.random())).toThrow('draws random numbers');
  });
  it('refuses a tensor of another trace, and a kernel that ONNX does not have', () => {
    let escaped: tf.Tensor;
    trace(ortBackend(), recording => void (escaped = tf.keep(recording.input('x', [2], 'float32'))));
    expect(() => trace(ortBackend(), () => tf.neg(escaped))).toThrow();
    expect(() =>
      trace(ortBackend(), recording => recording.kernel('NoSuchKernel', undefined, { x: tf.scalar(1) }, {})),
    ).toThrow('calls the kernel NoSuchKernel, which ONNX Runtime does not have for these inputs');
  });
});

describe('a tensor from outside', () => {
  /** How it lies in the graph of a function that adds it to an input. */
  async function traced(outside: tf.Tensor) {
    const { nodes, constants } = await traceOnnx(({ x }) => tf.add(x!, outside), { x: float(...outside.shape) });
    expect(nodes.map(({ op }) => op)).toEqual(['Add']);
    expect(nodes[0]!.inputs[0]).toBe('input.x');
    return constants.get(nodes[0]!.inputs[1]!)!;
  }
  it('is a constant where it is short, and a single number where all its elements are one', async () => {
    const short = Float32Array.from({ length: 64 }, (_, i) => i);
    expect(await traced(tf.tensor1d(short))).toMatchObject({
      shape: [64],
      dtype: 'float32',
      data: constantBytes(short),
    });
    expect(await traced(tf.fill([500], 3))).toMatchObject({ shape: [], data: constantBytes(Float32Array.of(3)) });
  });
  it('is captured once where it is long, with its numbers', async () => {
    const long = Float32Array.from({ length: 65 }, (_, i) => i / 8);
    const outside = tf.tensor1d(long);
    expect(await traced(outside)).toMatchObject({ shape: [65], data: constantBytes(long) });
    const twice = ({ x }: Inputs): tf.Tensor => tf.mul(tf.add(x!, outside), outside);
    const { recording } = traceForward(ortBackend(), twice, { x: float(65) });
    expect(recording.captured.map(({ name }) => name)).toEqual(['captured0']);
    recording.dispose();
    expect(recording.captured).toEqual([]);
    outside.dispose();
  });
});

describe('traceOnnx', () => {
  it('gives the nodes that the results need, and their names', async () => {
    const fn = ({ x, y }: Inputs): tf.Tensor[] => {
      tf.exp(x!);
      return [tf.neg(x!), y!];
    };
    const { nodes, outputs } = await traceOnnx(fn, { x: float(2), y: float(3) });
    // An input that is returned is copied: a session returns no input.
    expect(nodes.map(({ op, inputs }) => [op, ...inputs])).toEqual([['Neg', 'input.x'], ['Identity', 'input.y']]); // prettier-ignore
    expect(outputs).toEqual(nodes.map(node => node.outputs[0]));
  });
});
