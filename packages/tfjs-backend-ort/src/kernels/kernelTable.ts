import { binary } from './binary.ts';
import { conversions } from './convert.ts';
import { filling } from './filling.ts';
import { grouped } from './grouped.ts';
import { indexing } from './indexing.ts';
import type { Kernel } from './kernel.ts';
import { matMuls } from './matMul.ts';
import { normalising } from './normalising.ts';
import { ordering } from './ordering.ts';
import { reductions } from './reductions.ts';
import { shaping } from './shaping.ts';
import { unary } from './unary.ts';

/** Every kernel that runs on ONNX Runtime, by its tfjs name. */
export const kernelTable: ReadonlyMap<string, Kernel> = new Map(
  [conversions, unary, binary, reductions, matMuls, normalising, shaping, indexing, filling, ordering, grouped].flatMap(
    group => Object.entries(group),
  ),
);
