import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileDigest, nearNames, problem } from '@dropbp/basics';
import { findAdapterFolder } from '@dropbp/hub';
import { findModelFolder } from '@dropbp/models';
import type { Change, RunIdentity } from '@dropbp/train';
import { dataFlags } from '../flags/tables/dataFlags.ts';
import { flagName } from '../flags/flagName.ts';
import { writeFlag } from '../flags/flag.ts';
import { isOfMethod } from '../method/chooseMethod.ts';
import { dropFlags } from '../flags/tables/dropFlags.ts';
import type { RunSettings } from './runSettings.ts';
import { notOfTheRun, trainFlags } from '../flags/tables/trainFlags.ts';

/** A file up to this size is read whole for its checksum; of a larger one, this much of it, evenly spread: 0.2 s. */
const wholeBytes = 2 ** 31;
const sampledBytes = 2 ** 28;

/** Flags that change no step: what is measured, kept and shown, and what the loop and DropBP compare themselves. */
const ofNoStep: ReadonlySet<string> = new Set([
  ...notOfTheRun,
  ...Object.keys(dropFlags),
  ...[
    'model',
    'revision',
    'from',
    'data',
    'steps',
    'epochs',
    'evaluations',
    'prompt',
    'sampleTokens',
    'patience',
    'keep',
    'saveEvery',
  ],
  ...['keepCheckpoints', 'checkpointing', 'name', 'backend'],
]);

/** Flags with which the place in the data means another, beside those of the data. */
const placing: readonly string[] = [...Object.keys(dataFlags), 'data', 'tokenizer', 'batch', 'time', 'seed'];

/** Files of a model's folder that say how text becomes tokens. */
const tokenizerFiles =
  /^(tokenizer.*|special_tokens_map\.json|added_tokens\.json|vocab\..*|merges\.txt|chat_template.*|spiece\.model)$/;
const adapterFiles = /^adapter_(config\.json|model\.safetensors)$/;
const modelFiles = /^(config\.json|model.*\.safetensors(\.index\.json)?)$/;

/**
 * What a run is of: checksums of model, tokenizer and data, and the flags that its steps follow from. Where files lie does not
 * matter.
 *
 * @param run - the run's own name
 */
export async function identityOfRun(settings: RunSettings, run: string): Promise<RunIdentity> {
  const keys = Object.keys(trainFlags).filter(key => !ofNoStep.has(key) && isOfMethod(key, settings.adapter));
  const values = settings as unknown as Readonly<Record<string, unknown>>;
  const flags = keys.map((key): [string, RunIdentity[string]] => [key, plain(writeFlag(trainFlags, key, values[key]))]);
  const isFile = await stat(settings.model).then(
    found => found.isFile(),
    () => false,
  );
  const folder = isFile
    ? undefined
    : await findModelFolder(settings.model, settings.revision === undefined ? {} : { revision: settings.revision });
  const filesOf = async (pattern: RegExp, place: string): Promise<string[]> => {
    const names = (await readdir(place)).filter(name => pattern.test(name));
    return digests(names.map(name => [name, join(place, name)]));
  };
  return {
    ...Object.fromEntries(flags),
    run,
    model: folder === undefined ? await digests([['model', settings.model]]) : await filesOf(modelFiles, folder),
    ...(folder !== undefined && { tokenizer: await filesOf(tokenizerFiles, folder) }),
    ...(settings.from !== undefined && { from: await filesOf(adapterFiles, await findAdapterFolder(settings.from)) }),
    data: await digests(settings.data.map((path, i) => [`file ${i + 1}`, path])),
  };
}

async function digests(files: readonly (readonly [name: string, path: string])[]): Promise<string[]> {
  const texts: string[] = [];
  for (const [name, path] of files) {
    const { size } = await stat(path);
    const { bytes, sha256 } = await fileDigest('cli', path, size <= wholeBytes ? Infinity : sampledBytes);
    texts.push(`${name}: ${bytes} bytes, SHA-256 ${sha256.slice(0, 32)}`);
  }
  return texts;
}

function plain(value: unknown): RunIdentity[string] {
  if (value === undefined || value === null) return null;
  if (typeof value === 'object') return JSON.stringify(value);
  return value as string | number | boolean;
}

/** Names that `--accept-changes` takes beside those of flags. */
const otherNames: readonly string[] = ['model', 'tokenizer', 'data', 'checksums', 'run'];

/** Names of what may change, as flags or as keys of a file: `learning-rate`, `lr`, `learningRate`. @throws Problem for others */
export function acceptedNames(given: readonly string[] | undefined): string[] {
  const keys = new Map(
    Object.entries(trainFlags).flatMap(([key, { aliases = [] }]) => [key, ...aliases].map(name => [name, key])),
  );
  for (const name of otherNames) keys.set(name, name);
  return (given ?? []).map(name => {
    const camel = name.replace(/^--/, '').replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const key = keys.get(camel);
    if (key !== undefined) return key;
    const near = nearNames(camel, keys.keys());
    throw problem('cli', {
      what: `--accept-changes does not know '${name}'`,
      expected: `the name of a flag, or ${otherNames.join(', ')}`,
      ...(near.length > 0 && { fix: `did you mean ${near.map(key => flagName(key).slice(2)).join(' or ')}?` }),
    });
  });
}

/** What is accepted in all: with a change of the data's order their place is void, so that they begin anew. */
export function acceptedInAll(accepted: readonly string[], changes: readonly Change[]): string[] {
  const begins = changes.some(({ name }) => accepted.includes(name) && placing.includes(name));
  return [...new Set([...accepted, ...(begins ? ['data'] : [])])];
}
