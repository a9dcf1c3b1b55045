import { checkOptions, problem } from '@dropbp/basics';
import { findBase, readAdapter, type TunedAdapter } from '@dropbp/compose';
import type { Model, NamedArray, PeftFiles } from '@dropbp/core';
import { describeGguf, openWeights, type GgufField, type HubOptions } from '@dropbp/models';
import { readLoraPairs } from './adapter/loraPairs.ts';
import { checkValues } from './checkValues.ts';
import type { GgufTensorToWrite } from './encodeStart.ts';
import { ggufTypes } from './types/ggufTypes.ts';
import { writeGguf } from './writeGguf.ts';

/** Options of {@link exportGgufAdapter}. */
export interface ExportGgufAdapterOptions {
  /** How A and B are written. @defaultValue `'F32'` */
  readonly type?: 'F32' | 'F16' | 'BF16';
  /** `general.name`. @defaultValue none */
  readonly name?: string;
  /**
   * The base of an adapter's folder: a folder, a GGUF file or a hub id. Only its configuration is read.
   *
   * @defaultValue what the adapter names
   */
  readonly base?: string;
  /** Where the base is on the hub: its revision, the token of a gated model. */
  readonly hub?: HubOptions;
}

/** What was written. */
export interface ExportedGgufAdapter {
  /** The file that was written. */
  readonly path: string;
  /** Its bytes. */
  readonly sizeBytes: number;
  /** Layers that it adapts. */
  readonly layers: number;
}

/**
 * Writes a LoRA adapter as a GGUF file, which llama.cpp loads beside its base (`--lora`, Ollama's `ADAPTER`, node-llama-cpp's
 * `lora`). What scales a layer in its own way (rsLoRA, `rank_pattern`, `alpha_pattern`) is worked into its B, as the file holds one
 * alpha.
 *
 * @param source - a tuned model, or the folder of an adapter in PEFT's format.
 * @param path - the file. Its folder is made if need be.
 * @throws Problem for another method than LoRA, and for what such a file cannot hold (DoRA, saved modules, new tokens, biases,
 * embeddings): export the merged model instead
 *
 * @example
 * ```ts
 * await exportGgufAdapter(tuned, 'adapter.gguf');
 * ```
 */
export async function exportGgufAdapter(
  source: TunedAdapter | string,
  path: string,
  options: ExportGgufAdapterOptions = {},
): Promise<ExportedGgufAdapter> {
  checkOptions('export', 'exportGgufAdapter()', options, ['type', 'name', 'base', 'hub']);
  const { type = 'F32', name } = options;
  if (!['F32', 'F16', 'BF16'].includes(type)) {
    throw problem('export', { what: 'exportGgufAdapter(): type is not usable', got: type, expected: 'F32, F16 or BF16' }); // prettier-ignore
  }
  const files = typeof source === 'string' ? await readAdapter(source) : await peftFiles(source);
  const config = typeof source === 'string' ? await baseConfig(source, options) : source.model.config;
  const { architecture, place, modules } = describeGguf(config);
  const pairs = readLoraPairs(files, modules);
  const alpha = Number(files.config.lora_alpha ?? 8);
  const fields = new Map<string, GgufField>([
    ['general.architecture', architecture],
    ['general.type', 'adapter'],
    ...(name === undefined ? [] : [['general.name', name] as const]),
    ['general.file_type', { u32: ggufTypes[type].fileType }],
    ['adapter.type', 'lora'],
    ['adapter.lora.alpha', { f32: alpha }],
  ]);
  const tensors = pairs.flatMap(({ module, a, b, rank, scaling }): GgufTensorToWrite[] => {
    const weight = place(`${module}.weight`);
    // llama.cpp scales every layer by alpha over the rank of its B.
    const rest = scaling / (alpha / rank);
    const scaled = Math.abs(rest - 1) < 1e-12 ? b.data : b.data.map(value => value * rest);
    const write = (part: string, { shape, data }: NamedArray): GgufTensorToWrite => {
      checkValues(`${module}.${part}`, data, type);
      const bytes = (): Promise<Uint8Array> => Promise.resolve(ggufTypes[type].encode(data));
      return { name: `${weight.name}.${part}`, shape, type, bytes };
    };
    const arranged = weight.arrangeRows(new Float32Array(scaled), b.shape[0]!);
    return [write('lora_a', a), write('lora_b', { shape: b.shape, data: arranged })];
  });
  return { path, sizeBytes: await writeGguf(path, fields, tensors), layers: pairs.length };
}

async function baseConfig(adapter: string, { base, hub }: ExportGgufAdapterOptions): Promise<Model['config']> {
  const { source, revision } = base === undefined ? await findBase(adapter) : { source: base, revision: undefined };
  const weights = await openWeights(source, { ...(revision !== undefined && { revision }), ...hub });
  await weights.close();
  return weights.config;
}

async function peftFiles(tuned: TunedAdapter): Promise<PeftFiles> {
  const files = await tuned.toFiles();
  const config = JSON.parse(new TextDecoder().decode(files.get('adapter_config.json'))) as PeftFiles['config'];
  return readAdapter({ config, weights: new Blob([new Uint8Array(files.get('adapter_model.safetensors')!)]) });
}
