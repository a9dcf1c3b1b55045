import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import {
  loadChatTemplate,
  loadTokenizer,
  type ChatTemplate,
  type LoadChatTemplateOptions,
  type Tokenizer,
} from '@dropbp/data';
import { findModelFolder, ggufTokenizer, loadModel, readGguf, type HubOptions, type WeightsForm } from '@dropbp/models';
import { readJsonIfThere } from '../files/readJsonFile.ts';
import { choice, requiredText, text, toggle, type Flag } from '../flags/flag.ts';
import { formatBytes } from '../terminal/formatNumber.ts';
import type { StatusLine } from '../terminal/statusLine.ts';

/** The forms that weights are kept in. */
export const weightsForms: readonly WeightsForm[] = ['f32', 'f16', 'int8', 'int4'];

/** The flag that names a model where one is needed. */
export function modelFlag(help: string): Flag<string> {
  return requiredText('<folder|file|hub id>', `${help}: a folder, a GGUF file, or a hub id`);
}

/** The flag that says which revision of a model on the hub is meant. */
export function revisionFlag(): Flag<string | undefined> {
  return {
    ...text('<name>', 'of a hub id: a branch, a tag or a commit'),
    defaultText: 'main, or what the adapter names',
  };
}

/** Where a model lies. */
export interface ModelPlace {
  /** A folder, a GGUF file or a hub id. */
  readonly source: string;
  /** Of a hub id. @defaultValue main */
  readonly revision?: string | undefined;
}

/** The flag that says how frozen weights are kept. */
export function weightsFlag(): Flag<WeightsForm> {
  return choice(
    weightsForms,
    'how frozen weights of layers are kept in memory: f16 takes half, int8 a quarter, int4 a seventh',
    'f32',
  );
}

/** The flag for gradient checkpointing. */
export function checkpointingFlag(): Flag<boolean> {
  return toggle(
    'keep nothing of a branch but its input, and run it once more in the backward pass: less memory, a longer step, the same numbers',
  );
}

/** A model with what comes along in its files. */
export interface OpenedModel {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** Tokens that end a text or an answer, as one of the files or another says. */
  readonly endTokens: readonly number[];
  /** The model's own way to write conversations; undefined where it has none. */
  readonly chatTemplate: (options?: LoadChatTemplateOptions) => Promise<ChatTemplate | undefined>;
}

/** Loads a model and its tokenizer from a folder, a GGUF file or the hub, and shows how far it is. */
export async function openModel(
  place: ModelPlace,
  status: StatusLine,
  { weights = 'f32' }: { readonly weights?: WeightsForm } = {},
): Promise<OpenedModel> {
  const { source } = place;
  const companions = (await isFile(source)) ? await ggufCompanions(source) : await folderCompanions(place, status);
  const model = await openBase(place, status, { weights });
  const { tokenizer, endTokens } = companions;
  const ends = [...endTokens, ...tokenIds(model.config.eos_token_id), ...(tokenizer.eosToken ? [tokenizer.eosToken.id] : [])]; // prettier-ignore
  return { ...companions, model, endTokens: [...new Set(ends)] };
}

/** Loads a model alone, in the same way: for what reads and writes no text. */
export async function openBase(
  place: ModelPlace,
  status: StatusLine,
  { weights = 'f32' }: { readonly weights?: WeightsForm } = {},
): Promise<Model> {
  const { source } = place;
  // The id, not the cache's folder, is what an adapter shall remember of its base.
  const model = await loadModel(source, {
    weights,
    hub: fetching(place, status),
    onTensor: (done, total) => status.show(`Loading ${source}`, `${done} of ${total} tensors`),
  });
  status.clear();
  return model;
}

/** Types of quantised weights in a GGUF file, which are dequantised: `['Q4_1']`; none of other models. */
export async function quantisedTypes(source: string): Promise<string[]> {
  if (!(await isFile(source))) return [];
  const { tensors } = await readGguf(source);
  return [...new Set([...tensors.values()].map(({ type }) => type))].filter(type => type.startsWith('Q'));
}

/** Options of a download that shows how far it is. */
export function fetching(
  { source, revision }: ModelPlace,
  status: StatusLine,
): Pick<HubOptions, 'onProgress' | 'revision'> {
  return {
    ...(revision !== undefined && { revision }),
    onProgress: ({ file, receivedBytes, totalBytes }) => {
      status.show(`Fetching ${source}`, `${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)} (${file})`);
    },
  };
}

async function isFile(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined && /\.gguf$/i.test(path)) throw problem('cli', { what: `there is no file ${path}` });
  return info?.isFile() === true;
}

type Companions = Omit<OpenedModel, 'model'>;

async function folderCompanions(place: ModelPlace, status: StatusLine): Promise<Companions> {
  const folder = await findModelFolder(place.source, fetching(place, status));
  return {
    tokenizer: await loadTokenizer(folder),
    // What transformers ends an answer at: chat models name the end of a turn there.
    endTokens: tokenIds((await readJsonIfThere(join(folder, 'generation_config.json')))?.eos_token_id),
    chatTemplate: options => loadChatTemplate(folder, options),
  };
}

async function ggufCompanions(path: string): Promise<Companions> {
  const header = await readGguf(path);
  const files = ggufTokenizer(header);
  return {
    tokenizer: await loadTokenizer(files),
    // The end of a turn, where it is another token than the end of a text.
    endTokens: tokenIds(header.metadata.get('tokenizer.ggml.eot_token_id')),
    chatTemplate: options => loadChatTemplate({ config: files.config }, options),
  };
}

/** A token, several, or none. */
function tokenIds(value: unknown): number[] {
  const values: unknown[] = Array.isArray(value) ? value : [value];
  return values.filter((id): id is number => Number.isInteger(id) && (id as number) >= 0);
}
