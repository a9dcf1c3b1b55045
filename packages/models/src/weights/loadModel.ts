import { checkOptions } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import { checkpointConfig, defineModel } from '../architectures/architectures.ts';
import type { HubOptions } from '@dropbp/hub';
import { loadHub } from './findModelFolder.ts';
import { readEndTokens } from '../generate/readEndTokens.ts';
import { makeModel } from './makeModel.ts';
import { checkWeightForms, type WeightForms } from './makeWeight.ts';
import { readJsonObject, type ModelFiles } from './modelFiles.ts';
import { openModelFiles, type ModelSource } from './openModelFiles.ts';
import { textCheckpoint } from '../architectures/textPart.ts';
import { limitsOf } from '../architectures/modelLimits.ts';
import { readWeights } from './readWeights.ts';

/** Options of {@link loadModel}. */
export interface LoadModelOptions extends WeightForms {
  /** For a hub id: which revision, the token of a gated model, where to keep it, and who hears of the progress. */
  readonly hub?: Omit<HubOptions, 'signal'>;
  /** Called after each tensor that was read, with the number of those that are there and of all. */
  readonly onTensor?: (done: number, total: number) => void;
  /** Ends the loading: it then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Loads a Hugging Face checkpoint of an architecture among {@link supportedModelTypes}, as safetensors of any float
 * type, in one file or in shards, or as a GGUF file. Weights become float32 exactly, quantised ones as llama.cpp dequantises
 * them, unless `weights` says otherwise: they are then converted one by one while they are read. The caller owns the model:
 * `dispose()` frees it.
 *
 * @param source - a folder, a GGUF file or a hub id such as `'HuggingFaceTB/SmolLM2-135M'` (Node); in a browser the files, or
 * a GGUF file as a Blob
 * @throws Problem for an architecture or a configuration value that is not supported, by name, and for tensors that are
 * missing, unknown or misshapen
 *
 * @example
 * ```ts
 * const model = await loadModel('./SmolLM2-135M');
 * const logits = model.forward([[1, 2, 3]]);
 * ```
 */
export async function loadModel(source: ModelSource, options: LoadModelOptions = {}): Promise<Model> {
  checkOptions('models', 'loadModel()', options, ['weights', 'embeddings', 'hub', 'onTensor', 'signal']);
  checkWeightForms('loadModel()', options);
  const { hub, signal } = options;
  const files = await openModelFiles(source, { ...hub, ...(signal && { signal }) });
  const whole = await readJsonObject(files, 'config.json');
  const endTokens = await generationEndTokens(files);
  const checkpoint = textCheckpoint(whole, await files.openCheckpoint());
  try {
    const config = checkpointConfig(whole, new Set(checkpoint.tensors.keys()));
    const definition = defineModel(config, limitsOf(checkpoint));
    const { parameters, dtypes } = await readWeights(checkpoint, definition, options);
    return makeModel(config, definition, parameters, {
      ...(typeof source === 'string' ? await (await loadHub()).rememberSource(source, hub) : { source: '' }),
      files,
      dtypes,
      endTokens,
    });
  } finally {
    await checkpoint.close();
  }
}

/** What `generation_config.json` says a text ends at: chat models name the end of a turn there. */
async function generationEndTokens(files: ModelFiles): Promise<readonly number[]> {
  const name = 'generation_config.json';
  return (await files.list()).includes(name) ? readEndTokens(name, await readJsonObject(files, name)) : [];
}
