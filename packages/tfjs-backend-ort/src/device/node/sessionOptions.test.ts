import { expect, it } from 'vitest';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import { sessionOptions } from './sessionOptions.ts';

/** A number twice, a value between both: x, its negative and y. */
function negatedTwice(...shape: number[]): OnnxModel {
  const [x, between, y] = ['x', 'between', 'y'].map(name => ({ name, shape, dtype: 'float32' as const }));
  const node = (input: string, output: string): OnnxModel['nodes'][number] => ({
    ...{ op: 'Neg', inputs: [input], outputs: [output] },
    ...{ attributes: {}, domain: '' },
  });
  return {
    name: '',
    nodes: [node('x', 'between'), node('between', 'y')],
    inputs: [x!],
    outputs: [y!],
    constants: [],
    values: new Map([x!, between!, y!].map(value => [value.name, value])),
  };
}

it('gives threads to large models only', () => {
  expect(sessionOptions(negatedTwice(128, 128), 8)).toMatchObject({ intraOpNumThreads: 8 });
  expect(sessionOptions(negatedTwice(128, 127), 8)).toMatchObject({ intraOpNumThreads: 1 });
});

it('lets a session keep the memory between its operations as long as that is not much', () => {
  expect(sessionOptions(negatedTwice(11, 2 ** 20), 8)).toMatchObject({ enableCpuMemArena: true });
  expect(sessionOptions(negatedTwice(12, 2 ** 20), 8)).toMatchObject({ enableCpuMemArena: false });
});

it('lets a session keep it that changes one large tensor by a few rows', () => {
  const large = negatedTwice(12, 2 ** 20);
  const rows = (count: number): OnnxModel => {
    const row = { name: 'rows', shape: [count, 2 ** 10], dtype: 'float32' as const };
    return { ...large, inputs: [...large.inputs, row] };
  };
  expect(sessionOptions(rows(128), 8)).toMatchObject({ enableCpuMemArena: true });
  expect(sessionOptions(rows(1024), 8)).toMatchObject({ enableCpuMemArena: false });
});
