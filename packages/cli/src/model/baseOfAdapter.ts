import { Problem } from '@dropbp/basics';
import { findBase } from '@dropbp/compose';
import { findModelFolder } from '@dropbp/models';
import { exists } from '../files/exists.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { ModelPlace } from './openModel.ts';

/** An adapter: what was given, and the folder that it lies in. */
export interface AdapterPlace {
  /** As the user names it: a folder or a hub id. */
  readonly name: string;
  readonly folder: string;
}

/**
 * The base that an adapter names. A note says where it may have to be fetched.
 *
 * @throws Problem where the adapter names none, or a path that leads nowhere
 */
export async function baseOfAdapter({ name, folder }: AdapterPlace, terminal: Terminal): Promise<ModelPlace> {
  const base = await findBase(folder).catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error;
    const message = error.message.replaceAll(folder, name).replace('give the model yourself', 'give the base with --model'); // prettier-ignore
    throw new Problem(error.package, message, error, error.isFailure);
  });
  const { source, revision } = base;
  if (await exists(source)) return base;
  // Nothing is fetched in silence that may have been a folder.
  const isCached = await findModelFolder(source, { ...(revision !== undefined && { revision }), offline: true }).then(
    () => true,
    () => false,
  );
  if (!isCached) {
    terminal.notes(
      `The adapter in ${name} names ${source}: there is no such folder here, so it is fetched from the hub\n`,
    );
  }
  return base;
}

/** Opens a base; where it is the adapter that names it, an error says so. */
export async function openNamedBase<T>(
  { model, adapter }: { readonly model: string | undefined; readonly adapter: string | undefined },
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof Problem) || model !== undefined || adapter === undefined) throw error;
    const hint = `; the adapter in ${adapter} names this base, --model gives another`;
    throw new Problem(error.package, `${error.message.replace(/\.$/, '')}${hint}.`, error, error.isFailure);
  }
}
