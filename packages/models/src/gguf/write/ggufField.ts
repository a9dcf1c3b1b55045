/**
 * A value of a GGUF file's metadata with the type that llama.cpp reads it as. Numbers of JavaScript say nothing of theirs.
 */
export type GgufField =
  | string
  | boolean
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly strings: readonly string[] }
  | { readonly i32s: readonly number[] }
  | { readonly f32s: readonly number[] };
