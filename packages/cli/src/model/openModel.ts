import { stat } from 'node:fs/promises';
import type { Model } from '@dropbp/core';
import { loadModel, readGguf, type HubOptions, type LoadModelOptions, type WeightsForm } from '@dropbp/models';
import { loadPretrained, type Pretrained } from '@dropbp/setup';
import { formatBytes } from '../terminal/formatNumber.ts';
import type { StatusLine } from '../terminal/statusLine.ts';

/** Where a model lies. */
export interface ModelPlace {
  /** A folder, a GGUF file or a hub id. */
  readonly source: string;
  /** Of a hub id. @defaultValue main */
  readonly revision?: string | undefined;
}

/** Options of {@link openModel}. */
export interface OpenModelOptions {
  readonly weights?: WeightsForm;
  /** The date that a chat template writes. @defaultValue now */
  readonly date?: Date;
}

/** Loads a model, its tokenizer and chat template from a folder, a GGUF file or the hub, and shows how far it is. */
export async function openModel(
  place: ModelPlace,
  status: StatusLine,
  options: OpenModelOptions = {},
): Promise<Pretrained> {
  const { weights = 'f32', date } = options;
  const opened = await loadPretrained(place.source, {
    ...loading(place, status),
    weights,
    ...(date && { chat: { date } }),
  });
  status.clear();
  return opened;
}

/** Loads a model alone, in the same way: for what reads and writes no text. */
export async function openBase(
  place: ModelPlace,
  status: StatusLine,
  { weights = 'f32' }: { readonly weights?: WeightsForm } = {},
): Promise<Model> {
  const model = await loadModel(place.source, { ...loading(place, status), weights });
  status.clear();
  return model;
}

function loading(place: ModelPlace, status: StatusLine): Pick<LoadModelOptions, 'hub' | 'onTensor'> {
  return {
    hub: fetching(place, status),
    onTensor: (done, total) => status.show(`Loading ${place.source}`, `${done} of ${total} tensors`),
  };
}

/** Types of quantised weights in a GGUF file, which are dequantised: `['Q4_1']`; none of other models. */
export async function quantisedTypes(source: string): Promise<string[]> {
  const info = await stat(source).catch(() => undefined);
  if (info?.isFile() !== true) return [];
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
