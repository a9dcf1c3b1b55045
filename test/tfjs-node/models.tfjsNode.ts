import { testModels } from '../testModels.ts';
import { registerTensorflow } from './registerTensorflow.ts';

await registerTensorflow();
testModels('tensorflow');
