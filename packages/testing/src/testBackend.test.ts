import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelCases } from './backend/kernelCases.ts';
import { backendTests, testBackend } from './testBackend.ts';

/** tfjs's cpu backend under another name, with kernels of its own where they are given. */
function registerWrong(kernels: Readonly<Record<string, (x: tf.TensorInfo) => tf.TensorInfo>>): void {
  tf.registerBackend('wrong', () => new (tf.findBackend('cpu').constructor as new () => tf.KernelBackend)());
  tf.copyRegisteredKernels('cpu', 'wrong');
  for (const [kernelName, run] of Object.entries(kernels)) {
    tf.unregisterKernel(kernelName, 'wrong');
    const kernelFunc: tf.KernelFunc = ({ inputs }) => run(inputs.x!);
    tf.registerKernel({ kernelName, backendName: 'wrong', kernelFunc });
  }
}

const fill = ({ shape, dtype }: tf.TensorInfo, value: number): tf.TensorInfo => {
  const result = tf.backend() as unknown as { makeTensorInfo(s: number[], d: string, v: Float32Array): tf.TensorInfo };
  return result.makeTensorInfo(shape, dtype, new Float32Array(tf.util.sizeFromShape(shape)).fill(value));
};

const kept: tf.Tensor[] = [];

describe('testBackend', () => {
  const test = (name: string, cannot = {}): Promise<void> => backendTests({ backend: 'wrong', cannot })[name]!();
  beforeAll(async () => {
    await tf.setBackend('cpu');
    registerWrong({
      Neg: x => fill(x, 1),
      Round: x => {
        kept.push(tf.keep(tf.ones([1])));
        return (tf.getKernel('Round', 'cpu').kernelFunc as (call: object) => tf.TensorInfo)({
          inputs: { x },
          backend: tf.backend(),
        });
      },
    });
    await tf.setBackend('wrong');
  });
  afterAll(() => {
    tf.dispose(kept);
    tf.removeBackend('wrong');
  });

  it('finds a wrong result, a wrong gradient and what is left behind', async () => {
    await expect(test('Neg: Neg of float32')).rejects.toThrow('tensor 0, element 0: 1 for ');
    await expect(test('Sub: equal shapes')).rejects.toThrow('tensor 1, element 0: 1 for ');
    await expect(test('Round: Round of float32')).rejects.toThrow('what is held');
    await test('Abs: Abs of float32');
  });
  it('wants what the backend cannot do to fail, and so as it says', async () => {
    const name = 'Neg: Neg of float32: not on this backend';
    await test(name, { Neg: 'tensor 0, element 0' });
    await expect(test(name, { Neg: 'not registered' })).rejects.toThrow(
      /expected 'tensor 0.*' to contain 'not registered'/s,
    );
    const works = 'Abs: Abs of float32: not on this backend';
    for (const error of ['no', '']) {
      await expect(test(works, { 'Abs: Abs of float32': error })).rejects.toThrow('it works: take it off the list');
    }
  });
  it('knows all that the backend cannot do', () => {
    expect(() => testBackend('a backend', { backend: 'cpu', cannot: { Pwo: '' } })).toThrow(
      "[@dropbp/testing] cannot names no test; got \"Pwo\"; expected 'Pow', 'Pow: int32' or another.",
    );
  });
  it('wants each case to have a name of its own', () => {
    const cases = { Neg: [kernelCases.Neg![0]!, kernelCases.Neg![0]!] };
    expect(() => backendTests({ backend: 'wrong', cases })).toThrow('[@dropbp/testing] two cases of Neg have one name');
  });
  it('wants an engine where there shall be one', () => {
    const suite = backendTests({ backend: 'wrong', compiles: true });
    expect(() => suite['is an engine or none, as it says']!()).toThrow('expected false to be true');
  });
});
