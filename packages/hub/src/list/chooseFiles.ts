import { problem } from '@dropbp/basics';
import type { Content } from './content.ts';

const singleFile = 'model.safetensors';
/** The file that says which shards a checkpoint has. */
export const indexFile = 'model.safetensors.index.json';

/** What is read of an index: as much as a safetensors header may have. */
export const MOST_INDEX_BYTES = 100_000_000;

/** Files that say how text becomes tokens. */
export const tokenizerFiles = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
];
const besides = ['generation_config.json', ...tokenizerFiles];
const chatTemplate = /^additional_chat_templates\/[\w. -]{1,100}\.jinja$/;
/** Of additional templates; models have one or two. */
const MOST_TEMPLATES = 64;

/** What of a repository is of use. */
export interface ChosenFiles {
  /** Configuration, tokenizer and weights; `config.json` first, the weights last. */
  readonly files: readonly string[];
  /** The index of the checkpoint, if it has shards. */
  readonly index: string | undefined;
}

/** A model: the files that we can use, without other formats of the weights and second copies. */
export const modelContent: Content = {
  noun: 'model',
  choose: chooseFiles,
  lacking: present => ['config.json', ...(present.has(indexFile) ? [] : [singleFile])].find(file => !present.has(file)),
};

function chooseFiles(available: ReadonlySet<string>, id: string): ChosenFiles {
  const isSingle = available.has(singleFile);
  if (!isSingle && !available.has(indexFile)) throw noSafetensors(available, id);
  if (!available.has('config.json')) {
    throw problem('hub', { what: `the model '${id}' has no config.json`, got: listFiles(available) });
  }
  const tokenizer = available.has('tokenizer.json') ? [] : ['vocab.json', 'merges.txt'];
  const files = [...besides, ...tokenizer].filter(file => available.has(file));
  const templates = [...available].filter(file => chatTemplate.test(file)).sort();
  if (templates.length > MOST_TEMPLATES) {
    throw problem('hub', {
      what: `the model '${id}' has too many chat templates`,
      got: templates.length,
      expected: `at most ${MOST_TEMPLATES}`,
    });
  }
  return {
    files: ['config.json', ...files, ...templates, isSingle ? singleFile : indexFile],
    index: isSingle ? undefined : indexFile,
  };
}

/**
 * The files that the index of a checkpoint names.
 *
 * @param text - the index
 * @throws Problem if it is no index, or names anything but files beside it
 */
export function readShards(text: string, id: string): string[] {
  let map: unknown;
  try {
    map = (JSON.parse(text) as { weight_map?: unknown } | null)?.weight_map;
  } catch (cause) {
    throw problem('hub', { what: `the model '${id}': ${indexFile} is not JSON`, cause });
  }
  const shards = new Set(Object.values(map ?? {}) as unknown[]);
  const arePlain = [...shards].every(shard => typeof shard === 'string' && /^[\w.-]+\.safetensors$/.test(shard));
  if (shards.size > 0 && arePlain) return ([...shards] as string[]).sort();
  throw problem('hub', {
    what: `the model '${id}': ${indexFile} is not usable`,
    got: map,
    expected: 'a weight_map of tensors and plain names of .safetensors files',
  });
}

function noSafetensors(available: ReadonlySet<string>, id: string): Error {
  const isAdapter = available.has('adapter_config.json');
  const other = [...available].some(file => /\.(bin|onnx|h5|msgpack|pth?)$/.test(file));
  const isGguf = [...available].some(file => file.endsWith('.gguf'));
  return problem('hub', {
    what: `the model '${id}' has no weights as safetensors`,
    got: listFiles(available),
    expected: `${singleFile}, or ${indexFile} and its shards`,
    ...(other && { fix: 'convert it: in Python, from_pretrained() and save_pretrained() write safetensors' }),
    ...(isGguf && { fix: 'download one of its GGUF files and load it by its path' }),
    ...(isAdapter && {
      fix: 'it is an adapter: loadAdapter() loads it, onto the base model that its adapter_config.json names',
    }),
  });
}

/** The files of a repository, for a message. */
export function listFiles(available: ReadonlySet<string>): string {
  return [...available].filter(name => !/(^|\/)\.git/.test(name)).join(', ') || 'no files';
}
