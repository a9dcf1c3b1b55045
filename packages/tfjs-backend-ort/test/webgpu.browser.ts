import { ortSuite } from './ortSuite.ts';

ortSuite('webgpu', {
  'memory: tensors come from another backend and go to it':
    'dataSync() reads a tensor synchronously, which device webgpu cannot',
});
