import { checkOptions, nodeModule, problem } from '@dropbp/basics';
import type { Adapter, AdapterFormat, PeftFiles } from '@dropbp/core';
import { findFormat } from './findFormat.ts';
import { readAdapterFolder, type AdapterFolder } from './readAdapterFolder.ts';
import { readArrays } from './readArrays.ts';

/** The two files of an adapter, where there is no file system. */
export interface AdapterFiles {
  /** `adapter_config.json`, parsed. */
  readonly config: Readonly<Record<string, unknown>>;
  /** `adapter_model.safetensors`. */
  readonly weights: Blob;
}

/** Options of {@link loadAdapter}. */
export interface LoadAdapterOptions {
  /** Formats to look through first: the `peftFormat` of adapter packages, or your own. @defaultValue none */
  readonly formats?: readonly AdapterFormat[];
  /** The adapter's name, where the folder holds several: each but that called `default` is in a folder of its name. */
  readonly subfolder?: string;
}

/**
 * Loads an adapter that PEFT or {@link Tuned.save} wrote, to be composed with its base model. It can be trained on.
 *
 * @param source - a folder (Node), or the files
 * @throws Problem if the folder holds no adapter, its method is not known, or a value in it is not supported
 *
 * @example
 * ```ts
 * const tuned = compose(model, await loadAdapter('my-adapter'));
 * ```
 */
export async function loadAdapter(source: string | AdapterFiles, options: LoadAdapterOptions = {}): Promise<Adapter> {
  checkOptions('compose', 'loadAdapter()', options, ['formats', 'subfolder']);
  const { config, weights } = await openAdapter(source, options.subfolder);
  const format = await formatOf(config, options.formats);
  return format.fromPeft({ config, tensors: await readArrays(weights) });
}

/**
 * Checks whether an adapter with this configuration can be loaded, by its method and options. Its tensors are not looked at.
 *
 * @param config - `adapter_config.json`, parsed
 * @param formats - as in {@link LoadAdapterOptions}. @defaultValue none
 * @throws Problem for a method that is not known, and for a value that {@link loadAdapter} would refuse
 */
export async function checkAdapterConfig(
  config: AdapterFiles['config'],
  formats: readonly AdapterFormat[] = [],
): Promise<void> {
  (await formatOf(config, formats)).checkConfig?.(config);
}

async function formatOf(
  { peft_type: peftType }: AdapterFiles['config'],
  formats: readonly AdapterFormat[] = [],
): Promise<AdapterFormat> {
  if (typeof peftType !== 'string') {
    throw problem('compose', {
      what: 'the configuration of the adapter does not say which method it is',
      got: peftType,
      expected: "a peft_type such as 'LORA'",
    });
  }
  return findFormat(peftType, formats);
}

/**
 * What an adapter's two files hold, whatever its method: for what works on files, such as putting adapters together.
 *
 * @param source - a folder (Node), or the files
 * @throws Problem if the folder holds no adapter
 */
export async function readAdapter(source: string | AdapterFiles): Promise<PeftFiles> {
  const { config, weights } = await openAdapter(source);
  return { config, tensors: await readArrays(weights) };
}

async function openAdapter(source: string | AdapterFiles, subfolder?: string): Promise<AdapterFolder | AdapterFiles> {
  if (typeof source === 'string') {
    return readAdapterFolder(
      subfolder === undefined ? source : nodeModule('compose', 'node:path').join(source, subfolder),
    );
  }
  if (subfolder === undefined) return source;
  throw problem('compose', {
    what: 'subfolder has no effect on files',
    got: subfolder,
    fix: 'give the files of that folder',
  });
}
