import { fromFloat32 } from '@dropbp/safetensors';
import { encodeQ4, encodeQ8, type EncodeBlocks } from './encodeBlocks.ts';
import { encodeQ4K } from './encodeQ4K.ts';

/** A type that weights are written as. */
export type GgufType = 'F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q4_0' | 'Q4_K';

/** How a type lies in a file. */
export interface TypeEncoding {
  /** Its number in a file. */
  readonly id: number;
  /** The number of a file that is mostly of this type (`general.file_type`). */
  readonly fileType: number;
  /** Consecutive weights of a row that are written together. */
  readonly blockSize: number;
  readonly blockBytes: number;
  readonly encode: EncodeBlocks;
  /** For a matrix whose rows are not whole blocks. */
  readonly fallback: GgufType;
  /** For the embedding and the output layer, in which errors of few bits cost the most. */
  readonly outer: GgufType;
}

/** Source: ggml.h, and `llama_ftype` of llama.h. */
export const ggufTypes: Readonly<Record<GgufType, TypeEncoding>> = {
  F32: { id: 0, fileType: 0, blockSize: 1, blockBytes: 4, encode: values => fromFloat32('F32', values), fallback: 'F32', outer: 'F32' }, // prettier-ignore
  F16: { id: 1, fileType: 1, blockSize: 1, blockBytes: 2, encode: values => fromFloat32('F16', values), fallback: 'F16', outer: 'F16' }, // prettier-ignore
  BF16: { id: 30, fileType: 32, blockSize: 1, blockBytes: 2, encode: values => fromFloat32('BF16', values), fallback: 'BF16', outer: 'BF16' }, // prettier-ignore
  Q8_0: { id: 8, fileType: 7, blockSize: 32, blockBytes: 34, encode: encodeQ8, fallback: 'F16', outer: 'Q8_0' },
  Q4_0: { id: 2, fileType: 2, blockSize: 32, blockBytes: 18, encode: encodeQ4, fallback: 'F16', outer: 'Q8_0' },
  Q4_K: { id: 12, fileType: 14, blockSize: 256, blockBytes: 144, encode: encodeQ4K, fallback: 'Q8_0', outer: 'Q8_0' },
};
