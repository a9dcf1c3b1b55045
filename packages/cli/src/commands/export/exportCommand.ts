import { problem, removeTemporaries } from '@dropbp/basics';
import { compose, loadAdapter, type Tuned } from '@dropbp/compose';
import { prepareAdapter, type Model } from '@dropbp/core';
import {
  exportGguf,
  exportGgufAdapter,
  exportOllama,
  exportOnnx,
  type ExportSource,
  type OnnxType,
} from '@dropbp/export';
import { command } from '../../flags/command.ts';
import { choice, requiredText, text, toggle, type FlagValues } from '../../flags/flag.ts';
import { openNamedBase } from '../../model/baseOfAdapter.ts';
import { openBase } from '../../model/openModel.ts';
import { findSubject, subjectFlags, type SubjectPlaces } from '../../model/openSubject.ts';
import { startBackend } from '../../model/startBackend.ts';
import { backendFlag } from '../../flags/tables/modelFlags.ts';
import { formatBytes } from '../../terminal/formatNumber.ts';
import { styled } from '../../terminal/paint.ts';
import { statusLine, type StatusLine } from '../../terminal/statusLine.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { refuseExisting } from '../merge/mergePlace.ts';

const exportFlags = {
  format: choice(
    ['gguf', 'ollama', 'onnx'],
    'what is written: a file, a folder for ollama create, or a folder for transformers.js',
    'gguf',
  ),
  model: subjectFlags.model,
  adapter: subjectFlags.adapter,
  revision: subjectFlags.revision,
  merge: toggle('write the model with the adapter merged into it, instead of the adapter alone'),
  out: requiredText('<file|folder>', 'where it goes; there must be nothing'),
  from: text('<name>', 'ollama: write the adapter alone, for this model of Ollama, which must be its base'),
  type: {
    ...choice(['auto', 'F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'Q4_K'], 'type of the weights', 'auto'),
    defaultText: 'F16 for a model, F32 for an adapter; onnx: F32 and 8 bits',
  },
  preTokenizer: {
    ...text('<name>', 'how the tokenizer splits a text, by the name in llama.cpp'),
    defaultText: 'found in tokenizer.json',
  },
  backend: backendFlag(),
  json: toggle('print the result as one JSON object'),
};

type ExportFlags = FlagValues<typeof exportFlags>;

/** `dropbp export`. */
export const exportCommand = command({
  name: 'export',
  summary:
    'Writes a model, or an adapter for its base, as a GGUF file for llama.cpp and its kin, or a folder for Ollama or transformers.js.',
  flags: exportFlags,
  examples: [
    'dropbp export --adapter out/kjv/adapter --out kjv-adapter.gguf',
    'dropbp export --adapter out/kjv/adapter --merge --type Q8_0 --out kjv.gguf',
    'dropbp export --format ollama --adapter out/kjv/adapter --out kjv-ollama',
    'dropbp export --format onnx --adapter out/kjv/adapter --out kjv-web',
  ],
  async run(flags, _positionals, terminal) {
    const { out, json, adapter, merge } = flags;
    if (merge && adapter === undefined)
      throw problem('cli', { what: '--merge has nothing to merge', fix: 'give --adapter' });
    if (flags.from !== undefined && (flags.format !== 'ollama' || adapter === undefined || merge)) {
      throw problem('cli', { what: '--from is of no use here', fix: 'give it with --format ollama and --adapter, without --merge' }); // prettier-ignore
    }
    await refuseExisting(out);
    const status = statusLine(terminal);
    const places = await findSubject(flags, terminal, status);
    // What is half written may be as large as the model: it goes when the command is asked to end.
    const release = terminal.onInterrupt(signal => {
      removeTemporaries('cli');
      process.exit(signal === 'SIGINT' ? 130 : 143);
    });
    try {
      // Ollama needs a base that it can find: without a name of one, the model is written whole.
      const isAdapter = adapter !== undefined && !merge && (flags.format === 'gguf' || flags.from !== undefined);
      const result = await (isAdapter ? writeAdapter : writeModel)(flags, places, terminal, status);
      status.clear();
      const subject = isAdapter
        ? `the adapter ${adapter}, for ${places.base.source}`
        : `${places.base.source}${adapter === undefined ? '' : ` with ${adapter}`}`;
      if (json) terminal.out(`${JSON.stringify({ written: out, ...result }, undefined, 2)}\n`);
      else terminal.out(styled`${out}: ${subject}, ${formatBytes(result.sizeBytes)}\n`);
    } finally {
      release();
    }
  },
});

async function writeAdapter(
  { out, type, adapter, model, from }: ExportFlags,
  places: SubjectPlaces,
): Promise<{ readonly sizeBytes: number }> {
  if (type.startsWith('Q')) {
    throw problem('cli', {
      what: '--type is not usable for an adapter',
      got: type,
      expected: 'F32, F16 or BF16',
      fix: 'add --merge to write the merged model',
    });
  }
  if (from !== undefined) {
    return exportOllama(places.adapter!.folder, out, { from, ...(type !== 'auto' && { type }) });
  }
  const { source, revision } = places.base;
  return openNamedBase({ model, adapter }, () =>
    exportGgufAdapter(places.adapter!.folder, out, {
      base: source,
      ...(revision !== undefined && { hub: { revision } }),
      ...(type !== 'auto' && { type: type as 'F32' | 'F16' | 'BF16' }),
    }),
  );
}

async function writeModel(
  flags: ExportFlags,
  places: SubjectPlaces,
  terminal: Terminal,
  status: StatusLine,
): Promise<{ readonly sizeBytes: number }> {
  const { format, out, type, preTokenizer } = flags;
  if (format === 'onnx') return writeOnnx(flags, places, terminal, status);
  const { source, revision } = places.base;
  const write = (subject: ExportSource): Promise<{ readonly sizeBytes: number }> =>
    (format === 'ollama' ? exportOllama : exportGguf)(subject, out, {
      ...(revision !== undefined && { hub: { revision } }),
      ...(type !== 'auto' && { type: type }),
      ...(preTokenizer !== undefined && { preTokenizer }),
      onTensor: (done, total) => status.show('Writing', `${done} of ${total} tensors`),
    });
  // Without an adapter the weights are read one at a time, and nothing is computed.
  return places.adapter === undefined ? write(source) : withTuned(flags, places, terminal, status, write);
}

/** Files of ONNX by the types of the flag; those that a page and Node take by default. */
const onnxTypes: Readonly<Record<string, readonly OnnxType[]>> = {
  auto: ['fp32', 'q8'],
  F32: ['fp32'],
  F16: ['fp16'],
  Q8_0: ['q8'],
  Q4_0: ['q4'],
};

async function writeOnnx(
  flags: ExportFlags,
  places: SubjectPlaces,
  terminal: Terminal,
  status: StatusLine,
): Promise<{ readonly sizeBytes: number }> {
  const types = onnxTypes[flags.type];
  if (types === undefined) {
    throw problem('cli', { what: '--type is not usable for ONNX', got: flags.type, expected: Object.keys(onnxTypes).join(', ') }); // prettier-ignore
  }
  return withTuned({ ...flags, backend: flags.backend ?? 'ort' }, places, terminal, status, async subject => {
    status.show('Writing', types.join(', '));
    const { sizeBytes } = await exportOnnx(subject, flags.out, { types });
    return { sizeBytes: Object.values(sizeBytes).reduce((sum, size) => sum + size, 0) };
  });
}

/** Runs something with the model in memory, with its adapter where there is one. */
async function withTuned<T>(
  { backend, adapter, model: chosen }: ExportFlags,
  { base, adapter: place }: SubjectPlaces,
  terminal: Terminal,
  status: StatusLine,
  run: (subject: Model | Tuned) => Promise<T>,
): Promise<T> {
  await startBackend(backend, terminal);
  const model = await openNamedBase({ model: chosen, adapter }, () => openBase(base, status));
  const tuned = place && compose(model, await prepareAdapter(await loadAdapter(place.folder), model));
  try {
    return await run(tuned ?? model);
  } finally {
    tuned?.dispose();
    model.dispose();
  }
}
