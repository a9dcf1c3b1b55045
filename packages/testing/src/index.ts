export { gradientCheck, savedBytes, type GradientCheck } from './gradientCheck.ts';
export { testModel, type GoldenLogits, type ModelSuite } from './testModel.ts';
