import type { Model } from '@dropbp/core';
import { loadTokenizer, type Tokenizer } from '@dropbp/data';
import { loadModel } from '@dropbp/models';
import config from '../../../../models/austen-base/config.json?url';
import weights from '../../../../models/austen-base/model.safetensors?url';
import tokenizer from '../../../../models/austen-base/tokenizer.json?url';
import tokenizerConfig from '../../../../models/austen-base/tokenizer_config.json?url';

/** The model that the page fine-tunes. */
export interface Base {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
}

/**
 * Fetches the shipped model from the page's own origin.
 *
 * @param onProgress - hears which share of the weights is there
 * @throws Error where a file is not there
 */
export async function loadBase(onProgress: (share: number) => void): Promise<Base> {
  const [configBlob, weightsBlob, tokenizerJson, tokenizerConfigJson] = await Promise.all([
    fetchBlob(config),
    fetchBlob(weights, onProgress),
    fetchJson(tokenizer),
    fetchJson(tokenizerConfig),
  ]);
  const files = new Map([
    ['config.json', configBlob],
    ['model.safetensors', weightsBlob],
  ]);
  return {
    model: await loadModel(files),
    tokenizer: await loadTokenizer({ tokenizer: tokenizerJson, config: tokenizerConfigJson }),
  };
}

async function fetchJson(url: string): Promise<object> {
  return JSON.parse(await (await fetchBlob(url)).text()) as object;
}

async function fetchBlob(url: string, onProgress?: (share: number) => void): Promise<Blob> {
  const response = await fetch(url).catch((cause: unknown) => {
    throw new Error('The model could not be fetched: is the page still served, and the network there?', { cause });
  });
  if (!response.ok || response.body === null) {
    throw new Error(`The model could not be fetched: the server answers ${response.status} for ${url}.`);
  }
  const total = Number(response.headers.get('Content-Length') ?? 0);
  if (!onProgress || total === 0) return response.blob();
  let done = 0;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      done += chunk.length;
      onProgress(Math.min(1, done / total));
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(counting)).blob();
}
