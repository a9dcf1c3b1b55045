import { Problem } from '@dropbp/basics';
import type { ModelFiles } from '../weights/modelFiles.ts';
import { nameTensors, openGgufCheckpoint } from './ggufCheckpoint.ts';
import { ggufConfig } from './config/ggufConfig.ts';
import { ggufTokenizer } from './tokenizer/ggufTokenizer.ts';
import { readGguf, type GgufHeader } from './readGguf.ts';
import { tokenizerParts } from './tokenizer/tokenizerParts.ts';

/**
 * The folder of a model in transformers that a GGUF file stands for: its configuration, its weights and, where it can be
 * made, its tokenizer, which goes along when the model is saved.
 *
 * @throws Problem for a file that cannot be read, or a model that is not supported
 */
export async function ggufFiles(source: string | Blob): Promise<ModelFiles> {
  const header = await readGguf(source);
  const config = ggufConfig(header);
  const contents = new Map(Object.entries({ 'config.json': config, ...tokenizerFiles(header) }).map(asJson));
  const { name } = header;
  const tensors = nameTensors(header, config);
  return {
    name,
    list: () => Promise.resolve([...contents.keys()]),
    read: file => Promise.resolve(contents.get(file)!),
    openCheckpoint: () => openGgufCheckpoint(source, name, tensors),
  };
}

function tokenizerFiles(header: GgufHeader): Record<string, object> {
  if (tokenizerParts(header) instanceof Problem) return {};
  const { tokenizer, config } = ggufTokenizer(header);
  return { 'tokenizer.json': tokenizer, 'tokenizer_config.json': config };
}

function asJson([name, content]: readonly [string, object]): [string, Uint8Array] {
  return [name, new TextEncoder().encode(`${JSON.stringify(content, null, 2)}\n`)];
}
