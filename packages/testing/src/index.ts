export { countKernels } from './countKernels.ts';
export type { Skip } from './describeSuite.ts';
export { gradientCheck, savedBytes, type GradientCheck } from './gradientCheck.ts';
export { testAdapter, type AdapterSuite } from './testAdapter.ts';
export { testModel, type GoldenLogits, type ModelSuite } from './testModel.ts';
export { greedyWithoutCache } from './greedyWithoutCache.ts';
export { goldenName, goldenValues, type DropPattern, type Golden, type GoldenPattern } from './golden.ts';
export { toyBatch, toyModel, type ToyModelOptions } from './toyModel.ts';
