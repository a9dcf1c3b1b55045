import { problem } from '@dropbp/basics';
import { defineModel } from '../../architectures/architectures.ts';
import { configReader, type RawConfig } from '../../architectures/configReader.ts';
import { architectureOf } from './ggufArchitecture.ts';
import type { GgufValue } from '../parseHeader.ts';
import type { GgufHeader } from '../readGguf.ts';

/** The special tokens of a `config.json`, by their keys in the metadata. */
const tokenKeys: Readonly<Record<string, string>> = {
  bos_token_id: 'tokenizer.ggml.bos_token_id',
  eos_token_id: 'tokenizer.ggml.eos_token_id',
  pad_token_id: 'tokenizer.ggml.padding_token_id',
};

/** Keys of an architecture that change no logits, or say of its layout what is so for all. */
const inert = ['tensor_data_layout', 'expert_used_count', 'rope.scaling.finetuned', 'pooling_type'];

/**
 * The `config.json` of the model in a GGUF file, as transformers would have it.
 *
 * @throws Problem for an architecture that is not supported, for a key that asks for something else than what the code does, and for what is missing or does not fit the file's tensors
 *
 * @example
 * ```ts
 * const config = ggufConfig(await readGguf('model.gguf'));
 * console.log(config.model_type, config.hidden_size);
 * ```
 */
export function ggufConfig(header: GgufHeader): RawConfig {
  checkContent(header);
  const [id, architecture] = architectureOf(header);
  const prefix = `${id}.`;
  const own = [...header.metadata].filter(([key]) => key.startsWith(prefix));
  const entries = own.map(([key, value]) => [key.slice(prefix.length), shortFloat(value)] as const);
  const reader = configReader(Object.fromEntries(entries), undefined, { file: header.name, prefix, architecture: id });
  const config = architecture.config(reader, header);
  reader.finish(inert);
  // null where there is none: transformers has numbers of its own for keys that are missing.
  const ids = Object.entries(tokenKeys).map(([key, from]) => [key, header.metadata.get(from) ?? null] as const);
  return { architectures: [defineModel(config).className], ...config, ...Object.fromEntries(ids) };
}

/** @throws Problem for a file that is no whole model */
function checkContent({ name, metadata }: GgufHeader): void {
  const refuse = (what: string, key: string, expected: string, fix?: string): Error =>
    problem('models', {
      what: `${name} ${what} (${key})`,
      got: metadata.get(key),
      expected,
      ...(fix !== undefined && { fix }),
    });
  if ((metadata.get('general.type') ?? 'model') !== 'model') throw refuse('holds no model', 'general.type', "'model'");
  if (Number(metadata.get('split.count') ?? 1) > 1) {
    const fix = 'put the parts together: llama-gguf-split --merge';
    throw refuse('is one of several parts', 'split.count', 'a model in one file', fix);
  }
  if ((metadata.get('general.quantization_version') ?? 2) !== 2) {
    throw refuse('is quantised in another way', 'general.quantization_version', '2');
  }
}

/** The shortest number that is the same float32: a file holds 9.999999747378752e-6 for 1e-5. */
function shortFloat(value: GgufValue): GgufValue {
  if (typeof value !== 'number' || Number.isInteger(value)) return value;
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}
