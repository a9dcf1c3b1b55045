import { checkNumber, checkOptions, isObject, nodeModule, problem, ranges } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import { loadTokenizer } from '@dropbp/data';
import { findModelFolder, loadModel, type LoadModelOptions } from '@dropbp/models';
import type { Embedder } from '../embedder.ts';
import type { EmbeddingLayer } from '../layers.ts';
import type { PoolingMode } from '../pooling.ts';
import { readDense } from './denseFiles.ts';
import { readModules, readSmallJson, readSmallObject, type ModuleEntry } from './moduleFiles.ts';
import { readPoolingConfig } from './poolingConfig.ts';

/** Options of {@link loadEmbedder}. */
export interface LoadEmbedderOptions extends LoadModelOptions {
  /** Tokens of a text at most. @defaultValue what the folder says, as far as the model has positions */
  readonly maxLength?: number;
}

/** An embedder whose model has been loaded with it. */
export interface LoadedEmbedder extends Embedder {
  readonly model: Model;
  /** Frees the model and the layers. A second call does nothing. */
  dispose(): void;
}

const PLAIN: readonly ModuleEntry[] = [
  { kind: 'Transformer', folder: '' },
  { kind: 'Pooling', folder: '1_Pooling' },
];

/**
 * Loads an embedder that sentence-transformers or `saveEmbedder` wrote. A folder without `modules.json` is a plain model: it gives
 * the mean of its states, as in sentence-transformers. Node only.
 *
 * @param source - a folder, or the id of a model on the hub
 * @throws Problem if a part of it is missing or not supported
 *
 * @example
 * ```ts
 * const embedder = await loadEmbedder('models/all-MiniLM-L6-v2');
 * ```
 */
export async function loadEmbedder(source: string, options: LoadEmbedderOptions = {}): Promise<LoadedEmbedder> {
  checkOptions('embed', 'loadEmbedder()', options, ['weights', 'embeddings', 'onTensor', 'signal', 'hub', 'maxLength']);
  const { maxLength: asked, ...ofModel } = options;
  if (asked !== undefined) checkNumber('embed', 'maxLength', asked, ranges.count);
  const path = nodeModule('embed', 'node:path');
  const folder = await findModelFolder(source, ofModel.hub ?? {});
  const at = (...names: string[]): string => path.join(folder, ...names);
  const listed = await readSmallJson(at('modules.json'));
  const modules = listed === undefined ? PLAIN : readModules(listed, at('modules.json'));
  const [transformer, pooling, ...rest] = modules as [ModuleEntry, ModuleEntry, ...ModuleEntry[]];
  const ways = await readPooling(at(pooling.folder, 'config.json'), listed !== undefined);
  const { prompts, defaultPrompt } = await readPrompts(at('config_sentence_transformers.json'));
  const limit = asked ?? (await readMaxLength(at(transformer.folder)));
  const tokenizer = await loadTokenizer(at(transformer.folder));
  const model = await loadModel(transformer.folder === '' ? source : at(transformer.folder), ofModel);
  const layers: EmbeddingLayer[] = [];
  const dispose = (): void => {
    model.dispose();
    for (const layer of layers.splice(0)) {
      if (layer.kind === 'dense') for (const tensor of [layer.weight, layer.bias]) tensor?.dispose();
    }
  };
  try {
    for (const { kind, folder: own } of rest) layers.push(kind === 'Normalize' ? { kind: 'normalize' } : await readDense(at(own))); // prettier-ignore
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    model,
    tokenizer,
    pooling: ways,
    layers,
    maxLength: Math.min(limit ?? Infinity, model.maxPositions),
    prompts,
    ...(defaultPrompt !== undefined && { defaultPrompt }),
    dispose,
  };
}

async function readPooling(file: string, isNeeded: boolean): Promise<readonly PoolingMode[]> {
  const config = await readSmallObject(file);
  if (config !== undefined) return readPoolingConfig(config, file);
  if (!isNeeded) return ['mean'];
  throw problem('embed', { what: `${file} is missing`, expected: 'how the states of a text become one vector' });
}

/** The limit of older versions of sentence-transformers lies in a file of its own, that of newer ones with the tokenizer. */
async function readMaxLength(folder: string): Promise<number | undefined> {
  const path = nodeModule('embed', 'node:path');
  const file = path.join(folder, 'sentence_bert_config.json');
  const { max_seq_length: length = null, do_lower_case: lowers = false } = (await readSmallObject(file)) ?? {};
  if (lowers !== false) {
    throw problem('embed', { what: `do_lower_case of ${file} is not supported`, got: lowers, expected: 'false' });
  }
  if (length !== null) {
    checkNumber('embed', `max_seq_length of ${file}`, length, ranges.count);
    return length;
  }
  const { model_max_length: limit } = (await readSmallObject(path.join(folder, 'tokenizer_config.json'))) ?? {};
  // Tokenizers without a limit name an enormous number.
  return Number.isSafeInteger(limit) && (limit as number) >= 1 ? (limit as number) : undefined;
}

async function readPrompts(file: string): Promise<Pick<Embedder, 'prompts'> & { defaultPrompt: string | undefined }> {
  const { prompts = {}, default_prompt_name: name = null } = (await readSmallObject(file)) ?? {};
  const isUsable = isObject(prompts) && Object.values(prompts).every(text => typeof text === 'string');
  if (isUsable && (name === null || (typeof name === 'string' && Object.hasOwn(prompts, name)))) {
    return { prompts: prompts as Record<string, string>, defaultPrompt: name ?? undefined };
  }
  throw problem('embed', {
    what: `${file} has prompts that are not usable`,
    got: { prompts, default_prompt_name: name },
    expected: 'texts by name, and the name of one of them or null',
  });
}
