import { problem } from '@dropbp/basics';
import { compose, loadAdapter, type Tuned } from '@dropbp/compose';
import { prepareAdapter } from '@dropbp/core';
import type { Served } from '@dropbp/serve';
import type { AdapterPlace } from '../../model/baseOfAdapter.ts';
import { openNamedBase } from '../../model/baseOfAdapter.ts';
import { growForAdapter } from '../../model/growVocabulary.ts';
import { openModel, type ModelPlace } from '../../model/openModel.ts';
import { findAdapter, findSubject, type SubjectChoice } from '../../model/openSubject.ts';
import type { StatusLine } from '../../terminal/statusLine.ts';
import type { Terminal } from '../../terminal/terminal.ts';

/** Where a model and adapters on it lie. */
export interface ManyPlaces {
  readonly base: ModelPlace;
  /** By their names for clients. */
  readonly adapters: ReadonlyMap<string, AdapterPlace>;
}

/** Flags that name a model and adapters. */
export interface ManyChoice extends Omit<SubjectChoice, 'adapter'> {
  /** `name=place` each. */
  readonly adapter: readonly string[];
}

/**
 * Finds the model, by the flag or by the first adapter that names its base, and the adapters.
 *
 * @throws Problem where nothing names a model, and for adapters without names of their own
 */
export async function findManyAdapters(
  choice: ManyChoice,
  terminal: Terminal,
  status: StatusLine,
): Promise<ManyPlaces> {
  const named = choice.adapter.map(splitName);
  const twice = named.find(([name], i) => named.findIndex(([other]) => other === name) < i);
  if (twice !== undefined) {
    throw problem('cli', { what: `two adapters are called '${twice[0]}'`, fix: 'give each a name of its own' });
  }
  const [first, ...others] = named;
  const { base, adapter } = await findSubject({ ...choice, adapter: first?.[1] }, terminal, status);
  const adapters = new Map<string, AdapterPlace>();
  if (first !== undefined) adapters.set(first[0], adapter!);
  for (const [name, place] of others) adapters.set(name, await findAdapter(place, status));
  return { base, adapters };
}

function splitName(given: string): readonly [name: string, place: string] {
  const at = given.indexOf('=');
  if (at > 0 && at < given.length - 1) return [given.slice(0, at), given.slice(at + 1)];
  throw problem('cli', {
    what: '--adapter is not usable',
    got: given,
    expected: "a name for clients and the adapter, such as 'kjv=out/kjv/adapter'",
  });
}

/** Loads a model and the adapters on it. */
export async function openManyAdapters(
  { base, adapters }: ManyPlaces,
  { weights, model: chosen }: Pick<ManyChoice, 'weights' | 'model'>,
  status: StatusLine,
): Promise<{ readonly served: Served; readonly dispose: () => void }> {
  const [first] = adapters.values();
  let opened = await openNamedBase({ model: chosen, adapter: first?.name }, () => openModel(base, status, { weights }));
  for (const { folder } of adapters.values()) opened = (await growForAdapter(opened, folder)).opened;
  const { model } = opened;
  let tuned: Tuned | undefined;
  for (const [name, { folder }] of adapters) {
    const adapter = await prepareAdapter(await loadAdapter(folder), model);
    if (tuned === undefined) tuned = compose(model, adapter, undefined, { adapterName: name });
    else tuned.addAdapter(name, adapter);
  }
  return {
    served: { ...opened, ...(tuned && { tuned }) },
    dispose() {
      tuned?.dispose();
      model.dispose();
    },
  };
}
