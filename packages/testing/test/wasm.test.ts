import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs';
import { testBackend } from '../src/testBackend.ts';

const { factory, priority } = tf.engine().registryFactory.wasm!;

const missing = (kernel: string): [string, string] => [kernel, `Kernel '${kernel}' not registered for backend 'wasm'`];
/** It takes the elements for floats: integers and truth values come out as others. */
const takesFloats = (test: string): [string, string] => [test, 'tensor 0, element'];

testBackend('wasm', {
  backend: 'wasm',
  cannot: {
    ...Object.fromEntries(['BroadcastTo', 'Einsum', 'LogSoftmax', 'UnsortedSegmentSum'].map(missing)),
    ...Object.fromEntries(
      [
        ...['Ceil', 'Floor', 'IsFinite', 'IsNan', 'Log', 'Log1p', 'Reciprocal', 'Sqrt'].map(kernel => `${kernel}: ${kernel} of int32`), // prettier-ignore
        ...['Add: bool', 'Cast: float32 to bool', 'Cast: int32 to bool', 'ClipByValue: int32', 'Select: bool'],
        'OneHot: float32, matrix',
      ].map(takesFloats),
    ),
    'BatchMatMul: int32': 'BatchMatMul for non non-float32 tensors not yet supported',
    'Expm1: Expm1 of int32': 'float32[',
    'FloorDiv: float32': 'float32[',
    // It gathers along one axis, whatever the batches.
    'GatherV2: one a row': 'tensor 0, element',
    'tensors: complex numbers': "Kernel 'Complex' not registered for backend 'wasm'",
    'tensors: without elements': 'to be +0',
  },
  // It writes four bytes for a truth value that has one, over what lies behind.
  async restart() {
    tf.removeBackend('wasm');
    tf.registerBackend('wasm', factory, priority);
    await tf.setBackend('wasm');
  },
});
