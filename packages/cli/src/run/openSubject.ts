import { join } from 'node:path';
import { problem } from '@dropbp/basics';
import { compose, loadAdapter } from '@dropbp/compose';
import { prepared, type Model, type Runnable } from '@dropbp/core';
import { readJsonFile } from '../files/readJsonFile.ts';
import { text } from '../flags/flag.ts';
import type { StatusLine } from '../terminal/statusLine.ts';
import { openModel, type OpenedModel } from './openModel.ts';

/** Flags that say what is run: a model, an adapter on its base, or on another. */
export const subjectFlags = {
  model: { ...text('<folder|hub id>', 'the model'), defaultText: 'the base that the adapter names' },
  adapter: text('<folder>', 'an adapter in the format of PEFT, as dropbp train writes it'),
};

/** A model, with an adapter where one was given. */
export interface Subject extends OpenedModel {
  /** What is run. */
  readonly subject: Model | Runnable;
  dispose(): void;
}

/** Loads a model and an adapter on it. @throws Problem where neither names a model */
export async function openSubject(
  { model: given, adapter }: { readonly model: string | undefined; readonly adapter: string | undefined },
  status: StatusLine,
): Promise<Subject> {
  const opened = await openModel(given ?? (await baseOf(adapter)), status);
  const { model } = opened;
  if (adapter === undefined) return { ...opened, subject: model, dispose: () => model.dispose() };
  const tuned = compose(model, await prepared(await loadAdapter(adapter), model));
  return {
    ...opened,
    subject: tuned,
    dispose() {
      tuned.dispose();
      model.dispose();
    },
  };
}

/** The model that an adapter names as its base. */
export async function baseOf(adapter: string | undefined): Promise<string> {
  if (adapter === undefined) throw problem('cli', { what: 'there is no model', fix: 'give --model' });
  const { base_model_name_or_path: base } = await readJsonFile(join(adapter, 'adapter_config.json'));
  if (typeof base === 'string' && base !== '') return base;
  throw problem('cli', { what: `the adapter in ${adapter} names no base model`, fix: 'give --model' });
}
