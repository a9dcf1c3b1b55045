import { problem } from '@dropbp/basics';
import { compose, loadAdapter } from '@dropbp/compose';
import { findAdapterFolder } from '@dropbp/hub';
import { prepareAdapter, textPositions, type Subject as Runs } from '@dropbp/core';
import type { WeightsForm } from '@dropbp/models';
import type { Pretrained } from '@dropbp/setup';
import { checkFolder } from '../files/kindOfPath.ts';
import { text } from '../flags/flag.ts';
import type { StatusLine } from '../terminal/statusLine.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { growForAdapter } from './growVocabulary.ts';
import { baseOfAdapter, openNamedBase, type AdapterPlace } from './baseOfAdapter.ts';
import { fetching, openModel, type ModelPlace } from './openModel.ts';
import { revisionFlag, weightsFlag } from '../flags/tables/modelFlags.ts';

/** Flags that say what is run: a model, an adapter on its base, or on another. */
export const subjectFlags = {
  model: {
    ...text('<folder|file|hub id>', 'the model: a folder, a GGUF file, or a hub id'),
    defaultText: 'the base that the adapter names',
  },
  adapter: text('<folder|hub id>', 'an adapter in the format of PEFT, as dropbp train writes it'),
  revision: revisionFlag(),
  weights: weightsFlag(),
};

/** A model, with an adapter where one was given. */
export interface Subject extends Pretrained {
  /** What is run. */
  readonly subject: Runs;
  /** Tokens of a text that it has room for: positions that an adapter takes are not among them. */
  readonly room: number;
  dispose(): void;
}

/** What {@link openSubject} takes of the flags. */
export interface SubjectChoice {
  readonly model: string | undefined;
  readonly adapter: string | undefined;
  readonly revision: string | undefined;
  readonly weights: WeightsForm;
}

/** Loads a model and an adapter on it. */
export async function openSubject(
  { base, adapter }: SubjectPlaces,
  { weights, model: chosen }: Pick<SubjectChoice, 'weights' | 'model'>,
  status: StatusLine,
): Promise<Subject> {
  const named = { model: chosen, adapter: adapter?.name };
  const found = await openNamedBase(named, () => openModel(base, status, { weights }));
  const opened = adapter === undefined ? found : (await growForAdapter(found, adapter.folder)).opened;
  const { model } = opened;
  if (adapter === undefined) {
    return { ...opened, subject: model, room: model.maxPositions, dispose: () => model.dispose() };
  }
  const tuned = compose(model, await prepareAdapter(await loadAdapter(adapter.folder), model));
  return {
    ...opened,
    subject: tuned,
    room: textPositions(tuned.internal),
    dispose() {
      tuned.dispose();
      model.dispose();
    },
  };
}

/** Where a model and an adapter on it lie. */
export interface SubjectPlaces {
  readonly base: ModelPlace;
  readonly adapter: AdapterPlace | undefined;
}

/**
 * Finds the model, by the flag or by the adapter that names its base, and the adapter, which is fetched where it is on the hub.
 *
 * @throws Problem where nothing names a model
 */
export async function findSubject(
  { model, adapter: name, revision }: Pick<SubjectChoice, 'model' | 'adapter' | 'revision'>,
  terminal: Terminal,
  status: StatusLine,
): Promise<SubjectPlaces> {
  const adapter = name === undefined ? undefined : await findAdapter(name, status);
  if (model !== undefined) {
    await checkFolder(model, 'model');
    return { base: { source: model, revision }, adapter };
  }
  if (adapter === undefined) throw problem('cli', { what: 'there is no model', fix: 'give --model, or --adapter' });
  const base = await baseOfAdapter(adapter, terminal);
  return { base: { ...base, ...(revision !== undefined && { revision }) }, adapter };
}

/**
 * The folder of an adapter, which is fetched where it is on the hub.
 *
 * @param flag - that names it
 * @throws Problem if there is none
 */
export async function findAdapter(
  name: string,
  status: StatusLine,
  flag: 'adapter' | 'from' = 'adapter',
): Promise<AdapterPlace> {
  await checkFolder(name, 'adapter', flag);
  const folder = await findAdapterFolder(name, fetching({ source: name }, status));
  status.clear();
  return { name, folder };
}
