import { ortSuite } from './ortSuite.ts';

ortSuite('webgpu', {
  'memory: tensors come from another backend and go to it':
    'dataSync() reads a tensor synchronously, which device webgpu cannot',
  // onnxruntime-web with WebGPU has no doubles, not on the CPU either.
  FloorDiv: 'Provider type for Cast node',
});
