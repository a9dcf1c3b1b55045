import { checkOptions, problem } from '@dropbp/basics';
import type { Adapter, AdapterFormat, PeftFiles } from '@dropbp/core';
import type { HubOptions } from '@dropbp/hub';
import { findFormat } from './findFormat.ts';
import { fromFilesOfAnyVersion } from './formerModules.ts';
import { readAdapterFolder, type AdapterFolder } from './readAdapterFolder.ts';
import { readArrays } from './readArrays.ts';

/** The two files of an adapter, where there is no file system. */
export interface AdapterFiles {
  /** `adapter_config.json`, parsed. */
  readonly config: Readonly<Record<string, unknown>>;
  /** `adapter_model.safetensors`. */
  readonly weights: Blob;
}

/** Where an adapter lies: options of {@link readAdapter}. */
export interface ReadAdapterOptions {
  /** The adapter's name, where the folder holds several: each but that called `default` is in a folder of its name. */
  readonly subfolder?: string;
  /** For a hub id: which revision, the token of a private adapter, where to keep it, and who hears of the progress. */
  readonly hub?: HubOptions;
}

/** Options of {@link loadAdapter}. */
export interface LoadAdapterOptions extends ReadAdapterOptions {
  /** Formats to look through first: the `peftFormat` of adapter packages, or your own. @defaultValue none */
  readonly formats?: readonly AdapterFormat[];
}

/**
 * Loads an adapter that PEFT or {@link Tuned.save} wrote, to be composed with its base model. It can be trained on.
 *
 * @param source - a folder or a hub id such as `'someone/adapter'` (Node), or the files. A folder that is there wins over a hub id.
 * @throws Problem if there is no adapter, or the hub does not give it.
 * @throws Problem if its method is not known, or a value in it is not supported.
 *
 * @example
 * ```ts
 * const adapter = await loadAdapter('someone/adapter');
 * const { source, revision } = await findBase('someone/adapter');
 * const tuned = compose(await loadModel(source, revision === undefined ? {} : { hub: { revision } }), adapter);
 * ```
 */
export async function loadAdapter(source: string | AdapterFiles, options: LoadAdapterOptions = {}): Promise<Adapter> {
  checkOptions('compose', 'loadAdapter()', options, ['formats', 'subfolder', 'hub']);
  const { config, weights } = await openAdapter(source, options);
  const format = await formatOf(config, options.formats);
  return fromFilesOfAnyVersion(format, { config, tensors: await readArrays(weights) });
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
 * @param source - a folder or a hub id (Node), or the files
 * @throws Problem if there is no adapter
 */
export async function readAdapter(source: string | AdapterFiles, options: ReadAdapterOptions = {}): Promise<PeftFiles> {
  checkOptions('compose', 'readAdapter()', options, ['subfolder', 'hub']);
  const { config, weights } = await openAdapter(source, options);
  return { config, tensors: await readArrays(weights) };
}

async function openAdapter(
  source: string | AdapterFiles,
  { subfolder, hub }: ReadAdapterOptions,
): Promise<AdapterFolder | AdapterFiles> {
  if (typeof source === 'string') {
    // Loaded when needed: browsers do without it.
    const { findAdapterFolder } = await import('@dropbp/hub');
    return readAdapterFolder(
      await findAdapterFolder(source, { ...hub, ...(subfolder !== undefined && { subfolder }) }),
    );
  }
  if (subfolder === undefined && hub === undefined) return source;
  throw problem('compose', {
    what: `${subfolder === undefined ? 'hub' : 'subfolder'} has no effect on files`,
    got: subfolder ?? hub,
    fix: 'give the files of the adapter alone',
  });
}
