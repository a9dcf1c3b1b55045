import { checkOptions, problem } from '@dropbp/basics';
import { describeGguf, type GgufField, type HubOptions } from '@dropbp/models';
import { parseTokenizerFiles } from '../source/tokenizerFiles.ts';
import { openSource, type ExportSource, type WeightSource } from '../source/weightSource.ts';
import { checkValues } from './checkValues.ts';
import type { GgufTensorToWrite } from './encodeStart.ts';
import { tokenizerFields } from './tokenizer/tokenizerFields.ts';
import { ggufTypes, type GgufType } from './types/ggufTypes.ts';
import { writeGguf } from './writeGguf.ts';

/** Options of {@link exportGguf}. */
export interface ExportGgufOptions {
  /**
   * How matrices are written; norms and biases stay F32. Types of fewer bits keep embedding and output layer as Q8_0, and matrices
   * whose rows are not whole blocks as the next larger type.
   *
   * @defaultValue `'F16'`
   */
  readonly type?: GgufType;
  /** Whether the file holds the tokenizer, which llama.cpp needs for texts. @defaultValue true */
  readonly tokenizer?: boolean;
  /**
   * The name that llama.cpp has for how the tokenizer splits a text (`tokenizer.ggml.pre`).
   *
   * @defaultValue found by the tokenizer's `pre_tokenizer`
   */
  readonly preTokenizer?: string;
  /** `general.name`. @defaultValue the last part of where the model came from */
  readonly name?: string;
  /** For a hub id: its revision, the token of a gated model. */
  readonly hub?: HubOptions;
  /** Called after each tensor with the number of those that are written and of all. */
  readonly onTensor?: (done: number, total: number) => void;
  /** Ends the export: it then throws the signal's reason, and leaves no file. */
  readonly signal?: AbortSignal;
}

/** What was written. */
export interface ExportedGguf {
  /** The file that was written. */
  readonly path: string;
  /** Its bytes. */
  readonly sizeBytes: number;
  /** How many tensors of each type there are. */
  readonly types: Readonly<Partial<Record<GgufType, number>>>;
}

/**
 * Writes a model as a GGUF file, which llama.cpp, Ollama, LM Studio and node-llama-cpp run: weights, tokenizer and chat template. A
 * model with an adapter is merged first. Weights are read, converted and written one at a time; the file appears whole or not at all.
 * A folder, a GGUF file or a hub id needs no backend and little memory.
 *
 * @param source - a model, a tuned model, a folder, a GGUF file or a hub id.
 * @param path - the file. Its folder is made if need be.
 * @throws Problem for an architecture, configuration or tokenizer that llama.cpp does not have, and for weights that are not finite
 * or too large for F16
 *
 * @example
 * ```ts
 * await exportGguf(tuned, 'tuned.gguf', { type: 'Q8_0' });
 * ```
 */
export async function exportGguf(
  source: ExportSource,
  path: string,
  options: ExportGgufOptions = {},
): Promise<ExportedGguf> {
  const known = ['type', 'tokenizer', 'preTokenizer', 'name', 'hub', 'onTensor', 'signal'];
  checkOptions('export', 'exportGguf()', options, known);
  const { type = 'F16' } = options;
  if (!Object.hasOwn(ggufTypes, type)) {
    throw problem('export', {
      what: 'exportGguf(): type is not usable',
      got: type,
      expected: `one of ${Object.keys(ggufTypes).join(', ')}`,
    });
  }
  const weights = await openSource(source, options.hub);
  try {
    return await writeModel(weights, path, type, options);
  } finally {
    await weights.close();
  }
}

async function writeModel(
  weights: WeightSource,
  path: string,
  type: GgufType,
  { tokenizer = true, preTokenizer, name = lastPart(weights.name), onTensor, signal }: ExportGgufOptions,
): Promise<ExportedGguf> {
  const { config, shapes } = weights;
  const { architecture, metadata, ropeFactors, place } = describeGguf(config);
  const fields = new Map<string, GgufField>([
    ...metadata,
    ['general.type', 'model'],
    ['general.name', name],
    ['general.file_type', { u32: ggufTypes[type].fileType }],
    ['general.quantization_version', { u32: 2 }],
  ]);
  const vocabSize = (metadata.get(`${architecture}.vocab_size`) as { readonly u32: number }).u32;
  const own = tokenizer
    ? await readTokenizerFields(weights, { vocabSize, config, preTokenizer })
    : [['tokenizer.ggml.model', 'no_vocab'] as const];
  for (const [key, field] of own) fields.set(key, field);

  const tensors: GgufTensorToWrite[] = [];
  let done = 0;
  for (const [parameter, shape] of shapes) {
    const at = place(parameter);
    const stored = at.shape(shape);
    const kind = typeOf(at.name, stored, type);
    tensors.push({
      name: at.name,
      shape: stored,
      type: kind,
      async bytes() {
        signal?.throwIfAborted();
        const values = await weights.read(parameter);
        checkValues(parameter, values, kind);
        const bytes = ggufTypes[kind].encode(at.arrange(values, shape));
        onTensor?.(++done, shapes.size);
        return bytes;
      },
    });
  }
  if (ropeFactors !== undefined) {
    const bytes = (): Promise<Uint8Array> => Promise.resolve(ggufTypes.F32.encode(ropeFactors));
    tensors.unshift({ name: 'rope_freqs.weight', shape: [ropeFactors.length], type: 'F32', bytes });
  }
  const types: Partial<Record<GgufType, number>> = {};
  for (const { type: kind } of tensors) types[kind] = (types[kind] ?? 0) + 1;
  return { path, sizeBytes: await writeGguf(path, fields, tensors), types };
}

async function readTokenizerFields(
  weights: WeightSource,
  target: { vocabSize: number; config: WeightSource['config']; preTokenizer: string | undefined },
): Promise<ReadonlyMap<string, GgufField>> {
  const files = parseTokenizerFiles(await weights.companions());
  if (files !== undefined) return tokenizerFields(files, target);
  throw problem('export', {
    what: `${weights.name} came without a tokenizer.json`,
    fix: 'put it into the folder of the model, or leave the tokenizer out (tokenizer: false)',
  });
}

/** The end of a path or a hub id: others need not know where a model lay. */
function lastPart(name: string): string {
  return name.split(/[\\/]/).filter(Boolean).at(-1) ?? name;
}

/** The type of one tensor: vectors, learned positions and what is read as a vector stay F32, as llama.cpp wants them. */
function typeOf(name: string, shape: readonly number[], wanted: GgufType): GgufType {
  if (shape.length < 2 || name === 'position_embd.weight') return 'F32';
  const isOuter = name === 'token_embd.weight' || name === 'output.weight';
  let type = isOuter ? ggufTypes[wanted].outer : wanted;
  while (shape.at(-1)! % ggufTypes[type].blockSize !== 0) type = ggufTypes[type].fallback;
  return type;
}
