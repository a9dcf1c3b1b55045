import { nodeModule, writeAtomically } from '@dropbp/basics';
import { asRunnable, type Subject } from '@dropbp/core';
import type { Embedder } from '../embedder.ts';
import { denseFiles } from './denseFiles.ts';
import { writePoolingConfig } from './poolingConfig.ts';

/**
 * Writes an embedder as a folder that sentence-transformers loads. What `compose` made of a model is merged into it first. Node only.
 *
 * @throws Problem if a weight is NaN or infinite, an adapter cannot be merged, or the folder cannot be written
 *
 * @example
 * ```ts
 * await saveEmbedder({ ...embedder, model: tuned }, 'out/search');
 * ```
 */
export async function saveEmbedder(embedder: Embedder, directory: string): Promise<void> {
  const { pooling, layers, maxLength, prompts, defaultPrompt = null } = embedder;
  const path = nodeModule('embed', 'node:path');
  const fs = nodeModule('embed', 'node:fs/promises');
  const { model } = asRunnable(embedder.model);
  await saveModel(embedder.model, directory);
  const names = [
    '',
    '1_Pooling',
    ...layers.map(({ kind }, i) => `${i + 2}_${kind === 'dense' ? 'Dense' : 'Normalize'}`),
  ];
  const modules = names.map((name, i) => ({
    idx: i,
    name: String(i),
    path: name,
    type: `sentence_transformers.models.${name === '' ? 'Transformer' : name.replace(/^\d+_/, '')}`,
  }));
  const files = new Map<string, Uint8Array | string>([
    ['modules.json', toJson(modules)],
    ['sentence_bert_config.json', toJson({ max_seq_length: maxLength, do_lower_case: false })],
    ['config_sentence_transformers.json', toJson({ prompts, default_prompt_name: defaultPrompt })],
    ['1_Pooling/config.json', toJson(writePoolingConfig(pooling, model.hiddenSize))],
  ]);
  for (const [i, layer] of layers.entries()) {
    if (layer.kind !== 'dense') continue;
    for (const [name, content] of await denseFiles(layer)) files.set(`${names[i + 2]!}/${name}`, content);
  }
  for (const [name, content] of files) {
    const file = path.join(directory, name);
    await fs.mkdir(path.dirname(file), { recursive: true });
    await writeAtomically('embed', file, content);
  }
}

async function saveModel(subject: Subject, directory: string): Promise<void> {
  if (!('merge' in subject)) return asRunnable(subject).model.save(directory);
  const merged = (subject as { merge(): { save(to: string): Promise<void>; dispose(): void } }).merge();
  await merged.save(directory).finally(() => merged.dispose());
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
