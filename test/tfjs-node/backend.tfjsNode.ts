import { testBackend } from '@dropbp/testing';
import { registerTensorflow } from './registerTensorflow.ts';

await registerTensorflow();

const missing = (kernel: string): [string, string] => [
  kernel,
  `Kernel '${kernel}' not registered for backend 'tensorflow'`,
];
/** TensorFlow has no such operation for the type: INVALID_ARGUMENT or NOT_FOUND. */
const refused = (test: string): [string, string] => [test, 'Invalid TF_Status: '];
const ofIntegers = ['Ceil', 'Expm1', 'Floor', 'IsFinite', 'IsInf', 'IsNan', 'Log', 'Log1p', 'Reciprocal', 'Sqrt'];
const ofTruthValues = ['Add', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'];

testBackend('tensorflow', {
  backend: 'tensorflow',
  cannot: {
    ...Object.fromEntries(['BitwiseAnd', 'BroadcastTo', 'LogicalXor', 'LogSoftmax'].map(missing)),
    ...Object.fromEntries(ofIntegers.map(kernel => refused(`${kernel}: ${kernel} of int32`))),
    ...Object.fromEntries(ofTruthValues.map(kernel => refused(`${kernel}: bool`))),
    ...Object.fromEntries(['RealDiv: int32', 'UnsortedSegmentSum: ids outside'].map(refused)),
    'FloorDiv: float32': 'float32[',
    // It gives zeros.
    'Round: Round of int32': 'tensor 0, element',
  },
});
