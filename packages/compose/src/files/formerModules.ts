import type { Adapter, AdapterFormat, Model, PeftFiles } from '@dropbp/core';

/** Modules that transformers has renamed, by their former names: adapters of older versions name them as they were. */
const newNames: Readonly<Record<string, string>> = { embed_out: 'lm_head' };

/**
 * The adapter of PEFT's files. Where they name a module as older versions of transformers did, and the model that it is attached to has
 * it under its present name, the adapter goes there.
 */
export function fromFilesOfAnyVersion(format: AdapterFormat, files: PeftFiles): Adapter {
  const adapter = format.fromPeft(files);
  const former = Object.keys(newNames).filter(name => namesModule(files, name));
  if (former.length === 0) return adapter;
  const renamed = format.fromPeft(renameModules(files, former));
  const fitting = (model: Model): Adapter => (former.some(name => model.modules.has(name)) ? adapter : renamed);
  return {
    ...adapter,
    attach: model => fitting(model).attach(model),
    ...(adapter.prepare && {
      prepare: async (model: Model) => (await fitting(model).prepare?.(model)) ?? fitting(model),
    }),
  };
}

function namesModule({ config, tensors }: PeftFiles, name: string): boolean {
  const word = new RegExp(`\\b${name}\\b`);
  return [JSON.stringify(modulesOf(config)), ...tensors.keys()].some(text => word.test(text));
}

/** What names modules: all but the place of the base. */
function modulesOf(config: PeftFiles['config']): PeftFiles['config'] {
  return Object.fromEntries(Object.entries(config).filter(([key]) => key !== 'base_model_name_or_path'));
}

function renameModules({ config, tensors }: PeftFiles, former: readonly string[]): PeftFiles {
  const words = new RegExp(`\\b(${former.join('|')})\\b`, 'g');
  const rename = (text: string): string => text.replaceAll(words, name => newNames[name]!);
  return {
    config: { ...config, ...(JSON.parse(rename(JSON.stringify(modulesOf(config)))) as PeftFiles['config']) },
    tensors: new Map([...tensors].map(([name, array]) => [rename(name), array])),
  };
}
