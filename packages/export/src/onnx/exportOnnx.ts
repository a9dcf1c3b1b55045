import * as tf from '@tensorflow/tfjs';
import { checkOptions, makeFolder, nodeModule, problem, writeFolderAtomically } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import { weightForm, type Model } from '@dropbp/core';
import type { OnnxType } from './onnxWeights.ts';
import { symbolicGraph } from './symbolicGraph.ts';
import { traceDecoder, type Sizes } from './traceDecoder.ts';
import { MOST_INLINE_BYTES, suffixes, writeOnnx } from './writeOnnx.ts';

/** Options of {@link exportOnnx}. */
export interface ExportOnnxOptions {
  /** The files to write, by the names of transformers.js. Those in fewer bits are smaller, and become float32 in memory. @defaultValue `['fp32']` */
  readonly types?: readonly OnnxType[];
  /** The longest sequence: models with rotary positions hold a table of this many rows. @defaultValue the model's own */
  readonly maxPositions?: number;
  /** Weights of more bytes lie in a file beside the model. @defaultValue 1.9e9, as a file of ONNX ends at 2 GiB */
  readonly maxInlineBytes?: number;
}

/** What was written. */
export interface ExportedOnnx {
  /** The folder that was written. */
  readonly path: string;
  /** The bytes of each type's files. */
  readonly sizeBytes: Readonly<Partial<Record<OnnxType, number>>>;
}

/** Sizes without a common factor, so that each number of a graph tells which of them it follows. */
const passes: readonly Sizes[] = [
  { batch: 2, time: 3, past: 5 },
  { batch: 3, time: 7, past: 11 },
  { batch: 5, time: 4, past: 17 },
];

/**
 * Writes a folder that transformers.js loads: configuration, tokenizer and `onnx/model.onnx`, a decoder with its cache, for any number of
 * sequences and tokens. A model with an adapter is merged first. ONNX Runtime runs the file in Python, C++ and elsewhere too. The folder
 * appears whole, in place of one that is there.
 *
 * The graph is what the engine records of the model, so the backend `ort` must be in use.
 *
 * @param source - a model, or one with its adapter
 * @throws Problem for a model whose operations depend on the length of its input, and for weights that are not finite
 *
 * @example
 * ```ts
 * await exportOnnx(tuned, 'out/web', { types: ['fp32', 'q8'] });
 * ```
 */
export async function exportOnnx(
  source: Model | Tuned,
  folder: string,
  options: ExportOnnxOptions = {},
): Promise<ExportedOnnx> {
  checkOptions('export', 'exportOnnx()', options, ['types', 'maxPositions', 'maxInlineBytes']);
  const { types = ['fp32'], maxInlineBytes = MOST_INLINE_BYTES } = options;
  const known = Object.keys(suffixes);
  if (!Array.isArray(types) || types.length === 0 || types.some(type => !known.includes(type as string))) {
    throw problem('export', { what: 'exportOnnx(): types is not usable', got: types, expected: `a list of ${known.join(', ')}` }); // prettier-ignore
  }
  if (tf.getBackend() !== 'ort') {
    throw problem('export', {
      what: 'the backend in use cannot record a model',
      got: tf.getBackend(),
      expected: "'ort'",
      fix: "await useBackend('ort') before the model is loaded",
    });
  }
  if (!('merge' in source)) return writeModel(source, folder, types, maxInlineBytes, options);
  const merged = await source.safeMerge();
  try {
    return await writeModel(merged, folder, types, maxInlineBytes, options);
  } finally {
    merged.dispose();
  }
}

async function writeModel(
  model: Model,
  folder: string,
  types: readonly OnnxType[],
  maxInlineBytes: number,
  { maxPositions = model.maxPositions }: ExportOnnxOptions,
): Promise<ExportedOnnx> {
  const packed = [...model.parameters].find(([, tensor]) => weightForm(tensor) !== 'f32');
  if (packed !== undefined) {
    throw problem('export', { what: `'${packed[0]}' is kept as ${weightForm(packed[1])}`, fix: "load the model with weights: 'f32'" }); // prettier-ignore
  }
  if ([...model.modules.values()].some(({ kind }) => kind === 'experts')) {
    throw problem('export', {
      what: `this model of '${model.architecture}' is not written as ONNX: its experts are products by groups, which transformers.js may not run`,
      fix: 'save it with model.save(), for transformers',
    });
  }
  if (model.takesDividedTexts !== true) {
    throw problem('export', {
      what: `this model of '${model.architecture}' is not written as ONNX: what it computes for a token follows the sequence's length`,
      got: model.config.rope_scaling ?? model.config.rope_parameters,
      expected: 'positions that are scaled the same for every length (rope_type)',
    });
  }
  const traces = [];
  for (const sizes of passes) traces.push(await traceDecoder(model, sizes, maxPositions));
  const graph = symbolicGraph(traces, passes);
  const fs = nodeModule('export', 'node:fs/promises');
  const path = nodeModule('export', 'node:path');
  await makeFolder('export', path.dirname(path.resolve(folder)));
  const sizeBytes: Partial<Record<OnnxType, number>> = {};
  await writeFolderAtomically('export', folder, async temporary => {
    const inside = path.join(temporary, 'onnx');
    await fs.mkdir(inside);
    const external: Record<string, boolean> = {};
    for (const type of types) {
      const written = await writeOnnx(model, graph, inside, type, maxInlineBytes);
      sizeBytes[type] = written.sizeBytes;
      if (written.isExternal) external[`model${suffixes[type]}.onnx`] = true;
    }
    const files = new Map(await model.companions?.());
    const json = (value: object): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
    const hasExternal = Object.keys(external).length > 0;
    files.set(
      'config.json',
      json({
        ...model.config,
        ...(hasExternal && { 'transformers.js_config': { use_external_data_format: external } }),
      }),
    );
    if (!files.has('generation_config.json')) {
      const { bos_token_id, eos_token_id, pad_token_id } = model.config;
      files.set('generation_config.json', json({ bos_token_id, eos_token_id, pad_token_id }));
    }
    for (const [name, bytes] of files) await fs.writeFile(path.join(temporary, name), bytes);
  });
  return { path: folder, sizeBytes };
}
