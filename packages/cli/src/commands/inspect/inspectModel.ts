import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { loadChatTemplate } from '@dropbp/data';
import { supportedModelTypes } from '@dropbp/models';
import { openCheckpoint } from '@dropbp/safetensors';
import { readJsonFile } from '../../files/readJsonFile.ts';
import { formatCount } from '../../terminal/formatNumber.ts';
import type { Styled } from '../../terminal/paint.ts';
import { fieldLines } from './fieldLines.ts';
import { groupTable } from './groupTable.ts';
import { countElements, dtypeTotals, listTensors, totalLine, type ListedTensor } from './tensorList.ts';

/** What `dropbp inspect` tells of a model. */
export interface ModelSummary {
  readonly kind: 'model';
  readonly architecture: string;
  /** Whether dropbp can load it. */
  readonly isSupported: boolean;
  readonly parameters: number;
  /** Sizes and counts of the configuration, by its own names. */
  readonly config: Readonly<Record<string, number>>;
  readonly dtypes: readonly { dtype: string; tensors: number; parameters: number; sizeBytes: number }[];
  readonly hasTokenizer: boolean;
  /** Whether it can be talked with. */
  readonly hasChatTemplate: boolean;
  readonly tensors: readonly ListedTensor[];
}

/**
 * Reads a model folder's configuration and the headers of its weights, not the weights.
 *
 * @throws Problem where the files are not valid
 */
export async function inspectModel(folder: string): Promise<ModelSummary> {
  const config = await readJsonFile(join(folder, 'config.json'));
  const checkpoint = await openCheckpoint(folder);
  const tensors = listTensors(checkpoint.tensors);
  await checkpoint.close();
  const architecture = typeof config.model_type === 'string' ? config.model_type : 'not named';
  const numbers = Object.entries(config).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  return {
    kind: 'model',
    architecture,
    isSupported: supportedModelTypes.includes(architecture),
    parameters: tensors.reduce((sum, tensor) => sum + countElements(tensor.shape), 0),
    config: Object.fromEntries(numbers),
    dtypes: dtypeTotals(tensors),
    hasTokenizer: (await readdir(folder)).includes('tokenizer.json'),
    hasChatTemplate: (await loadChatTemplate(folder)) !== undefined,
    tensors,
  };
}

const sizes = [
  ['layers', ['num_hidden_layers', 'n_layer']],
  ['hidden size', ['hidden_size', 'n_embd']],
  ['heads', ['num_attention_heads', 'n_head']],
  ['key/value heads', ['num_key_value_heads']],
  ['MLP size', ['intermediate_size', 'n_inner']],
  ['vocabulary', ['vocab_size']],
  ['positions', ['max_position_embeddings', 'n_positions']],
] as const;

/** The summary as text. */
export function showModel(summary: ModelSummary): Styled {
  const { architecture, isSupported, parameters, config, hasTokenizer, hasChatTemplate, tensors } = summary;
  const fields = fieldLines([
    ['architecture', isSupported ? architecture : `${architecture} (dropbp cannot load it)`],
    ['parameters', formatCount(parameters)],
    ['checkpoint', totalLine(tensors)],
    ...sizes.map(([title, keys]) => {
      const key = keys.find(candidate => candidate in config);
      return [title, key === undefined ? undefined : formatCount(config[key]!)] as const;
    }),
    ['tokenizer', hasTokenizer ? 'yes' : 'none'],
    ['chat template', hasChatTemplate ? 'yes' : 'none'],
  ]);
  return [fields, '\n', groupTable(tensors)];
}
