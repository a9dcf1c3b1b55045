import * as tf from '@tensorflow/tfjs';
import { call, floats, ints, kase, kernelCases, type KernelCases, listed, testBackend } from '@dropbp/testing';
import { describe, expect, it } from 'vitest';
import { ortBackend, useDevice } from '../src/index.ts';
import { kernelTable } from '../src/kernels/kernelTable.ts';
import { compileSuite } from './compileSuite.ts';

const x3 = floats([2, 3, 4]);
/** Rows of three groups, the second of which has none, and the matrices of these. */
const [rows5, others5, counts5] = [floats([5, 4]), floats([5, 3], -2, 2, 3), ints([3], [2, 0, 3])];
const [matrices, turned] = [floats([3, 4, 3], -2, 2, 4), floats([3, 3, 4], -2, 2, 4)];

/** Kernels of our own. */
const ownCases: KernelCases = {
  DropbpGroupedMatMul: [false, true].map(transposeB =>
    kase(
      transposeB ? 'turned matrices' : 'matrices',
      [rows5, transposeB ? turned : matrices, counts5],
      (a, m, counts) => call('DropbpGroupedMatMul', { a, matrices: m, counts }, { transposeB }),
      {
        expected: (a, m) =>
          tf.concat(
            [[0, 2, 0] as const, [2, 3, 2] as const].map(([begin, size, group]) =>
              tf.matMul(
                tf.slice(a, [begin, 0], [size, -1]),
                tf.reshape(tf.slice(m, [group, 0, 0], [1, -1, -1]), m.shape.slice(1)),
                false,
                transposeB,
              ),
            ),
          ),
        noGradient: 'models have their own',
      },
    ),
  ),
  DropbpGroupedOuter: [
    kase(
      'rows of three groups',
      [rows5, others5, counts5],
      (a, b, counts) => call('DropbpGroupedOuter', { a, b, counts }),
      {
        expected: (a, b) => {
          const [first, last] = [[0, 2] as const, [2, 3] as const].map(([begin, size]) =>
            tf.matMul(tf.slice(a, [begin, 0], [size, -1]), tf.slice(b, [begin, 0], [size, -1]), true),
          );
          return tf.stack([first!, tf.zeros([4, 3]), last!]);
        },
        noGradient: 'models have their own',
      },
    ),
  ],
  DropbpAfter: [
    kase('after a matrix', [x3, floats([2, 2])], (x, y) => call('DropbpAfter', { x, y }), {
      expected: x => tf.clone(x),
      noGradient: 'OrtBackend.after has its own',
    }),
    kase('after NaN and a scalar', [x3, listed(NaN), ints([], [3])], (x, y, z) => call('DropbpAfter', { x, y, z }), {
      expected: x => tf.clone(x),
    }),
  ],
};

/** What ONNX Runtime does not have: alone it runs on tfjs's cpu backend, in a compiled function not at all. */
const onCpu: Readonly<Record<string, string>> = {
  'Add: bool': 'truth values do not add',
  'RealDiv: int32': 'tfjs uses FloorDiv',
  'BatchMatMul: int32': 'ONNX Runtime multiplies float matrices',
  'GatherV2: batches': 'ONNX gathers with batches along the last axis only',
};

/** Those that run no loops: see `Device.runsLoops`. */
const withoutLoops = 'webgpu';

/**
 * Runs the backend on a device through everything.
 *
 * @param cannot - what the device cannot do: see `BackendSuite`
 */
export function ortSuite(device: string, cannot: Readonly<Record<string, string>> = {}): void {
  useDevice({ device });
  testBackend(`ort on ${device}`, {
    backend: 'ort',
    compiles: true,
    cases: Object.fromEntries(
      Object.entries(ownCases).filter(([name]) => !device.includes(withoutLoops) || !name.startsWith('DropbpGrouped')),
    ),
    cannot: {
      ...Object.fromEntries(
        Object.keys(onCpu).map(test => [`${test} (compiled)`, 'which ONNX Runtime does not have for these inputs']),
      ),
      ...cannot,
    },
    held: () => ({ usedBytes: ortBackend().memory().usedBytes, dataIds: ortBackend().numDataIds() }),
  });

  describe(`the kernels on ${device}`, () => {
    it('have a case each', () => {
      const cases = { ...kernelCases, ...ownCases };
      expect([...kernelTable.keys()].filter(name => (cases[name] ?? []).length === 0)).toEqual([]);
    });
    it('ran there, but for those that ONNX Runtime does not have', async () => {
      await tf.setBackend('ort');
      expect(ortBackend().device.name).toBe(device);
      const ofCases = Object.keys(onCpu).map(test => test.split(':')[0]!);
      // Complex numbers, strings, and tensors without elements.
      const ofTypes = ['Cast', 'Complex', 'Concat', 'FFT', 'IFFT', 'Imag', 'Multiply', 'PadV2', 'Real', 'Sum'];
      expect([...ortBackend().fallbacks().keys()].sort()).toEqual([...new Set([...ofCases, ...ofTypes])].sort());
    });
  });

  compileSuite(device);
}
