import { testBackend } from '../src/testBackend.ts';

const missing = (kernel: string): [string, string] => [kernel, `Kernel '${kernel}' not registered for backend 'cpu'`];

// The others' reference: what is compared here is gradients with finite differences.
testBackend('cpu', {
  backend: 'cpu',
  cannot: {
    ...Object.fromEntries(['LogicalXor', 'LogSoftmax', 'BroadcastTo'].map(missing)),
    'UnsortedSegmentSum: int32': 'float32[2] for int32[2]',
  },
});
