import { problem } from '@dropbp/basics';
import { compose, loadAdapter } from '@dropbp/compose';
import { prepareAdapter, type Model, type Runnable } from '@dropbp/core';
import type { WeightsForm } from '@dropbp/models';
import { checkFolder } from '../files/kindOfPath.ts';
import { text } from '../flags/flag.ts';
import type { StatusLine } from '../terminal/statusLine.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { baseOfAdapter, openNamedBase } from './baseOfAdapter.ts';
import { openModel, weightsFlag, type OpenedModel } from './openModel.ts';

/** Flags that say what is run: a model, an adapter on its base, or on another. */
export const subjectFlags = {
  model: {
    ...text('<folder|file|hub id>', 'the model: a folder, a GGUF file, or a hub id'),
    defaultText: 'the base that the adapter names',
  },
  adapter: text('<folder>', 'an adapter in the format of PEFT, as dropbp train writes it'),
  weights: weightsFlag(),
};

/** A model, with an adapter where one was given. */
export interface Subject extends OpenedModel {
  /** What is run. */
  readonly subject: Model | Runnable;
  /** Tokens of a text that it has room for: positions that an adapter takes are not among them. */
  readonly room: number;
  dispose(): void;
}

/** What {@link openSubject} takes of the flags. */
export interface SubjectChoice {
  readonly model: string | undefined;
  readonly adapter: string | undefined;
  readonly weights: WeightsForm;
}

/** Loads a model and an adapter on it. @param source - of the model: see {@link sourceOf} */
export async function openSubject(
  source: string,
  {
    adapter,
    weights,
    model: chosen,
  }: Pick<SubjectChoice, 'adapter' | 'weights'> & { readonly model?: string | undefined },
  status: StatusLine,
): Promise<Subject> {
  const opened = await openNamedBase({ model: chosen, adapter }, () => openModel(source, status, { weights }));
  const { model } = opened;
  if (adapter === undefined) {
    return { ...opened, subject: model, room: model.maxPositions, dispose: () => model.dispose() };
  }
  const tuned = compose(model, await prepareAdapter(await loadAdapter(adapter), model));
  return {
    ...opened,
    subject: tuned,
    room: roomOf(tuned),
    dispose() {
      tuned.dispose();
      model.dispose();
    },
  };
}

/** Tokens that fit into a model's positions beside those that an adapter puts in front. */
export function roomOf({ model, virtualTokens = 0, virtualKeys = 0 }: Runnable): number {
  return model.maxPositions - virtualTokens - virtualKeys;
}

/** Where the model comes from: the flag, or the adapter that names its base. @throws Problem where nothing names one */
export async function sourceOf(
  { model, adapter }: Pick<SubjectChoice, 'model' | 'adapter'>,
  terminal: Terminal,
): Promise<string> {
  if (adapter !== undefined) await checkFolder(adapter, 'adapter');
  if (model !== undefined) {
    await checkFolder(model, 'model');
    return model;
  }
  if (adapter === undefined) throw problem('cli', { what: 'there is no model', fix: 'give --model, or --adapter' });
  return baseOfAdapter(adapter, terminal);
}
