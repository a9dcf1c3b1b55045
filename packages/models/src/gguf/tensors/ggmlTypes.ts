import type { StoredDtype } from '../../weights/saveModel.ts';
import { blocksOf32 } from './blocksOf32.ts';
import { blocksOf256 } from './blocksOf256.ts';

/** A type of weights that is read. Q4_K_M and the like are mixtures of these. */
export type GgmlTypeName =
  'F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q4_K' | 'Q5_K' | 'Q6_K';

/** Writes the weights of blocks, as many as `values` has. */
export type Dequantize = (blocks: Uint8Array, values: Float32Array) => void;

/** How the weights of a type lie in a file. */
export interface GgmlType {
  readonly name: GgmlTypeName;
  /** Weights of a block: consecutive ones of a row. */
  readonly blockSize: number;
  readonly blockBytes: number;
  /** What the weights are handed out as. */
  readonly dtype: StoredDtype;
  /** None where the weights stand in the file as they are handed out. */
  readonly dequantize?: Dequantize;
}

/** By their numbers in a file. Source: ggml.h and ggml-quants.c of llama.cpp; `gguf.quants` of its Python package. */
export const ggmlTypes: ReadonlyMap<number, GgmlType> = new Map<number, GgmlType>([
  [0, { name: 'F32', blockSize: 1, blockBytes: 4, dtype: 'F32' }],
  [1, { name: 'F16', blockSize: 1, blockBytes: 2, dtype: 'F16' }],
  [30, { name: 'BF16', blockSize: 1, blockBytes: 2, dtype: 'BF16' }],
  [8, { name: 'Q8_0', blockSize: 32, blockBytes: 34, dtype: 'F32', dequantize: blocksOf32.Q8_0 }],
  [2, { name: 'Q4_0', blockSize: 32, blockBytes: 18, dtype: 'F32', dequantize: blocksOf32.Q4_0 }],
  [3, { name: 'Q4_1', blockSize: 32, blockBytes: 20, dtype: 'F32', dequantize: blocksOf32.Q4_1 }],
  [6, { name: 'Q5_0', blockSize: 32, blockBytes: 22, dtype: 'F32', dequantize: blocksOf32.Q5_0 }],
  [7, { name: 'Q5_1', blockSize: 32, blockBytes: 24, dtype: 'F32', dequantize: blocksOf32.Q5_1 }],
  [12, { name: 'Q4_K', blockSize: 256, blockBytes: 144, dtype: 'F32', dequantize: blocksOf256.Q4_K }],
  [13, { name: 'Q5_K', blockSize: 256, blockBytes: 176, dtype: 'F32', dequantize: blocksOf256.Q5_K }],
  [14, { name: 'Q6_K', blockSize: 256, blockBytes: 210, dtype: 'F32', dequantize: blocksOf256.Q6_K }],
]);

const byName = new Map([...ggmlTypes.values()].map(type => [type.name, type]));

export function ggmlType(name: GgmlTypeName): GgmlType {
  return byName.get(name)!;
}

/** Types that are not read, for messages. */
export const unreadTypes: Readonly<Record<number, string>> = {
  ...{ 9: 'Q8_1', 10: 'Q2_K', 11: 'Q3_K', 15: 'Q8_K', 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S' },
  ...{ 20: 'IQ4_NL', 21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS', 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64' },
  ...{ 29: 'IQ1_M', 34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4', 40: 'NVFP4', 41: 'Q1_0' },
};
