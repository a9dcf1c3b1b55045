import '@dropbp/tfjs-backend-ort';
import { testModels } from './testModels.ts';

testModels('ort', [
  {
    test: 'calls each hook once for each of its places',
    reason: 'hooks are called while a branch is traced: once for all layers of equal structure',
  },
]);
