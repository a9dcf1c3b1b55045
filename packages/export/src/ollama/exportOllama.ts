import { checkOptions, nodeModule, problem, publishFolder } from '@dropbp/basics';
import type { TunedAdapter } from '@dropbp/compose';
import { loadChatTemplate, loadTokenizer } from '@dropbp/data';
import { exportGguf, type ExportGgufOptions } from '../gguf/exportGguf.ts';
import { exportGgufAdapter } from '../gguf/exportGgufAdapter.ts';
import { listIds, tokensAround } from '../gguf/tokenizer/specialFields.ts';
import { parseTokenizerFiles } from '../source/tokenizerFiles.ts';
import { openSource, type ExportSource } from '../source/weightSource.ts';
import { findLinearFormat } from './linearFormat.ts';
import { goTemplate, writeModelfile, type Modelfile } from './modelfile.ts';

/** Options of {@link exportOllama}. */
export interface ExportOllamaOptions extends Pick<
  ExportGgufOptions,
  'type' | 'preTokenizer' | 'hub' | 'onTensor' | 'signal'
> {
  /**
   * A model that Ollama has, by its name (`'smollm2:135m'`): the folder then holds the adapter alone, for this base. It must be the
   * base that the adapter was trained on. The source is a tuned model, or the folder of an adapter.
   *
   * @defaultValue the folder holds the whole model
   */
  readonly from?: string;
}

/** What was written. */
export interface ExportedOllama {
  /** The folder that was written. */
  readonly path: string;
  /** Bytes of all its files. */
  readonly sizeBytes: number;
  /** Whether the Modelfile has a template: Ollama else compares the one in the file with those that it knows. */
  readonly hasTemplate: boolean;
}

/** Tokens that Ollama gives a conversation if nobody says otherwise. */
const USUAL_CONTEXT = 4096;

/** Ollama's names of what a `generation_config.json` says. */
const parameterNames: Readonly<Record<string, string>> = {
  temperature: 'temperature',
  top_k: 'top_k',
  top_p: 'top_p',
  min_p: 'min_p',
  repetition_penalty: 'repeat_penalty',
};

/**
 * Writes a folder for `ollama create`: a GGUF file, and a `Modelfile` with the chat template in Ollama's language, the texts that end
 * an answer, and the settings of `generation_config.json`. The folder appears whole or not at all.
 *
 * @param source - a model, one with its adapter (which is merged), or the folder, GGUF file or hub id of one
 * @throws Problem for what `exportGguf` refuses, and with `from` for what `exportGgufAdapter` refuses
 *
 * @example
 * ```ts
 * await exportOllama(tuned, 'out/ollama', { type: 'Q8_0' }); // then: ollama create mine -f out/ollama/Modelfile
 * ```
 */
export async function exportOllama(
  source: ExportSource | TunedAdapter,
  folder: string,
  options: ExportOllamaOptions = {},
): Promise<ExportedOllama> {
  checkOptions('export', 'exportOllama()', options, ['type', 'preTokenizer', 'hub', 'onTensor', 'signal', 'from']);
  const { from, ...gguf } = options;
  const fs = nodeModule('export', 'node:fs/promises');
  const path = nodeModule('export', 'node:path');
  let written: ExportedOllama | undefined;
  await publishFolder(
    'export',
    folder,
    async temporary => {
      const file = path.join(temporary, from === undefined ? 'model.gguf' : 'adapter.gguf');
      let modelfile: Modelfile;
      let sizeBytes: number;
      if (from === undefined) {
        ({ sizeBytes } = await exportGguf(source as ExportSource, file, gguf));
        modelfile = { from: './model.gguf', ...(await describeChat(source as ExportSource, gguf)) };
      } else {
        ({ sizeBytes } = await writeAdapter(source, file, gguf));
        modelfile = { from, adapter: './adapter.gguf', parameters: [] };
      }
      await fs.writeFile(path.join(temporary, 'Modelfile'), writeModelfile(modelfile));
      written = { path: folder, sizeBytes, hasTemplate: modelfile.template !== undefined };
    },
    { last: 'Modelfile' },
  );
  return written!;
}

async function writeAdapter(
  source: ExportSource | TunedAdapter,
  file: string,
  { type = 'F32' }: ExportOllamaOptions,
): Promise<{ readonly sizeBytes: number }> {
  if (typeof source !== 'string' && !('merge' in source)) {
    throw problem('export', { what: 'exportOllama(): from needs an adapter, and this is a model', fix: 'leave from out' }); // prettier-ignore
  }
  if (type !== 'F32' && type !== 'F16' && type !== 'BF16') {
    throw problem('export', { what: 'exportOllama(): type is not usable for an adapter', got: type, expected: 'F32, F16 or BF16' }); // prettier-ignore
  }
  return exportGgufAdapter(source, file, { type });
}

/** What a Modelfile says of conversations. */
async function describeChat(
  source: ExportSource,
  { hub = {} }: ExportOllamaOptions,
): Promise<Pick<Modelfile, 'template' | 'parameters'>> {
  const weights = typeof source === 'string' ? await openSource(source, hub) : undefined;
  const model = typeof source === 'string' ? undefined : 'merge' in source ? source.model : source;
  const files = weights === undefined ? await model?.companions?.() : await weights.companions();
  await weights?.close();
  const config = weights?.config ?? model!.config;
  const parsed = parseTokenizerFiles(files ?? new Map())!;
  const tokenizer = await loadTokenizer({ tokenizer: parsed.tokenizer, config: parsed.config });
  const chat = await loadChatTemplate({
    config: { ...parsed.config, chat_template: [...parsed.templates].map(([name, template]) => ({ name, template })) },
  });
  // What the tokenizer puts in front of every text, the template must not write again.
  const format = chat && findLinearFormat(chat, tokenizer.decode(tokensAround(tokenizer).before));
  const template = format && goTemplate(format);
  const stops = new Set<string>();
  for (const id of [...listIds(parsed.generation.eos_token_id), ...listIds(tokenizer.eosToken?.id)]) stops.add(tokenizer.decode([id])); // prettier-ignore
  const turnEnd = format?.behind.assistant.trim();
  if (turnEnd !== undefined && /^[^"\n]+$/.test(turnEnd)) stops.add(turnEnd);
  const context = Number(config.max_position_embeddings ?? config.n_positions ?? USUAL_CONTEXT);
  const settings = Object.entries(parameterNames).flatMap(([key, name]) => {
    const value = parsed.generation[key];
    return typeof value === 'number' && Number.isFinite(value) ? [[name, value] as const] : [];
  });
  return {
    ...(template !== undefined && { template }),
    parameters: [
      ...[...stops].map(text => ['stop', text] as const),
      ['num_ctx', Math.min(context, USUAL_CONTEXT)],
      ...settings,
    ],
  };
}
