/**
 * A value of a GGUF file's metadata with the type that llama.cpp reads it as. Numbers of JavaScript say nothing of theirs.
 */
export type GgufField =
  | string
  | boolean
  | {
      /** An unsigned integer of 32 bits. */
      readonly u32: number;
    }
  | {
      /** A float of 32 bits. */
      readonly f32: number;
    }
  | {
      /** A list of texts. */
      readonly strings: readonly string[];
    }
  | {
      /** A list of integers of 32 bits. */
      readonly i32s: readonly number[];
    }
  | {
      /** A list of floats of 32 bits. */
      readonly f32s: readonly number[];
    };
