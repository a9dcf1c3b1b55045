import { checkOptions } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import type { ChatTemplate, LoadChatTemplateOptions, Tokenizer } from '@dropbp/data';
import { loadModel, type LoadModelOptions, type ModelSource } from '@dropbp/models';
import { openCompanions, tokenIds } from './openCompanions.ts';

/** Options of {@link loadPretrained}. */
export interface LoadPretrainedOptions extends LoadModelOptions {
  /** Of a hub id: a branch, a tag or a commit. `hub.revision` says the same. @defaultValue 'main' */
  readonly revision?: string;
  /** Which chat template is taken where the model has several, and the date that it writes. */
  readonly chat?: LoadChatTemplateOptions;
}

/** A model with what comes along in its files. */
export interface Pretrained {
  /** The model. The caller owns it. */
  readonly model: Model;
  /** The model's tokenizer. */
  readonly tokenizer: Tokenizer;
  /** How the model writes conversations. Absent if its files hold no chat template. */
  readonly chatTemplate?: ChatTemplate;
  /** Ids of the tokens that end a text or an answer, for `generate(…, { stopTokens })`. */
  readonly endTokens: readonly number[];
}

/**
 * Loads a model with its tokenizer and chat template.
 *
 * @param source - a folder, a GGUF file or a hub id such as `'HuggingFaceTB/SmolLM2-135M'` (Node); in a browser the files, or a
 * GGUF file as a Blob
 * @throws Problem if the files are missing or damaged, or the model or its tokenizer is not supported
 *
 * @example
 * ```ts
 * const { model, tokenizer } = await loadPretrained('HuggingFaceTB/SmolLM2-135M');
 * ```
 */
export async function loadPretrained(source: ModelSource, options: LoadPretrainedOptions = {}): Promise<Pretrained> {
  checkOptions('setup', 'loadPretrained()', options, [
    ...['weights', 'embeddings', 'hub', 'onTensor', 'signal', 'revision', 'chat'],
  ]);
  const { revision, chat, ...ofModel } = options;
  const hub = { ...options.hub, ...(revision !== undefined && { revision }) };
  const signal = options.signal && { signal: options.signal };
  // The tokenizer comes first: it is small, so whatever is missing shows before the weights are read.
  const { tokenizer, chatTemplate, endTokens } = await openCompanions(source, { ...hub, ...signal }, chat);
  // The id, not the cache's folder, is what an adapter shall remember of its base.
  const model = await loadModel(source, { ...ofModel, hub });
  const ends = [...endTokens, ...tokenIds(model.config.eos_token_id), ...(tokenizer.eosToken ? [tokenizer.eosToken.id] : [])]; // prettier-ignore
  return { model, tokenizer, ...(chatTemplate && { chatTemplate }), endTokens: [...new Set(ends)] };
}
