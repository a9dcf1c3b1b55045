export { checkNumber, ranges, type NumberRange } from './checkNumber.ts';
export { checkOptions } from './checkOptions.ts';
export { errorCode } from './errorCode.ts';
export { nearNames } from './nearNames.ts';
export { nodeModule, type NodeModules } from './nodeModule.ts';
export { problem, Problem, type ProblemDetails } from './problem.ts';
export { seededRandom, type SeededRandom } from './seededRandom.ts';
export { writeAtomically, type FileContent } from './writeAtomically.ts';
export { writeProblem } from './writeProblem.ts';
