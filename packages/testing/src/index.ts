export { gradientCheck, savedBytes, type GradientCheck } from './gradientCheck.ts';
