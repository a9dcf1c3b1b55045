export { checkOptions } from './checkOptions.ts';
export { nearNames } from './nearNames.ts';
export { problem, Problem, type ProblemDetails } from './problem.ts';
export { seededRandom, type SeededRandom } from './seededRandom.ts';
