import { binaryCases } from './cases/binary.ts';
import { conversionCases } from './cases/conversions.ts';
import { fillingCases } from './cases/filling.ts';
import { indexingCases } from './cases/indexing.ts';
import { matMulCases } from './cases/matMul.ts';
import { normalisingCases } from './cases/normalising.ts';
import { reductionCases } from './cases/reductions.ts';
import { shapingCases } from './cases/shaping.ts';
import { unaryCases } from './cases/unary.ts';
import type { KernelCases } from './kernelCase.ts';

/** Calls of tfjs's kernels, by kernel. */
export const kernelCases: KernelCases = {
  ...conversionCases,
  ...unaryCases,
  ...binaryCases,
  ...reductionCases,
  ...matMulCases,
  ...normalisingCases,
  ...shapingCases,
  ...indexingCases,
  ...fillingCases,
};
