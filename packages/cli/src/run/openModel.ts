import type { Model } from '@dropbp/core';
import { loadTokenizer, type Tokenizer } from '@dropbp/data';
import { findModelFolder, loadModel } from '@dropbp/models';
import { formatBytes } from '../terminal/formatNumber.ts';
import type { StatusLine } from '../terminal/statusLine.ts';

/** A model with its tokenizer. */
export interface OpenedModel {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** Where its files are. */
  readonly folder: string;
}

/**
 * Loads a model and its tokenizer from a folder or the hub, and shows how far it is.
 *
 * @param source - a folder or a hub id
 */
export async function openModel(source: string, status: StatusLine): Promise<OpenedModel> {
  const folder = await findModelFolder(source, {
    onProgress: ({ file, receivedBytes, totalBytes }) => {
      status.show(`Fetching ${source}`, `${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)} (${file})`);
    },
  });
  const tokenizer = await loadTokenizer(folder);
  // The id, not the cache's folder, is what an adapter shall remember of its base.
  const model = await loadModel(source, {
    onTensor: (done, total) => status.show(`Loading ${source}`, `${done} of ${total} tensors`),
  });
  status.clear();
  return { model, tokenizer, folder };
}
