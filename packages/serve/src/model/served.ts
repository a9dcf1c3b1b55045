import { checkOptions, problem, Problem } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import { asRunnable, textPositions, type Model, type Runnable } from '@dropbp/core';
import { turnEnds, type ChatTemplate, type Tokenizer } from '@dropbp/data';
import { ApiError } from '../http/apiError.ts';

/** What is served: what `loadPretrained` of @dropbp/setup gives, with adapters where there are some. */
export interface Served {
  /** The model. It stays the caller's. */
  readonly model: Model;
  /** What `compose()` made of the model. Each of its adapters is served under its name. @defaultValue none: the model alone */
  readonly tuned?: Tuned;
  /** The model's tokenizer. */
  readonly tokenizer: Tokenizer;
  /** How the model writes conversations. @defaultValue none: chats are refused */
  readonly chatTemplate?: ChatTemplate;
  /** Tokens that end a text. @defaultValue those of the model's configuration */
  readonly endTokens?: readonly number[];
}

/** A model that a request can name. */
export interface ServedModel {
  readonly name: string;
  /** The adapter that it is; undefined for the model without one. */
  readonly adapter: string | undefined;
  readonly runnable: Runnable;
  /** Tokens that a text and its answer have room for. */
  readonly room: number;
  /** Whether its rows can share a batch with those of other adapters. */
  readonly canShare: boolean;
}

/** What is served, checked, with what follows from it. */
export interface ServedModels {
  readonly served: Served;
  readonly byName: ReadonlyMap<string, ServedModel>;
  /** Tokens that end a text, and those that also end an answer of a chat. */
  readonly ends: { readonly text: readonly number[]; readonly chat: readonly number[] };
}

/** @throws Problem for what cannot be served */
export function servedModels(served: Served, name: string = nameOf(served.model.source)): ServedModels {
  checkOptions('serve', 'serve(): what is served', served, ['model', 'tuned', 'tokenizer', 'chatTemplate', 'endTokens']); // prettier-ignore
  const { model, tuned, tokenizer, chatTemplate } = served;
  const forRows = tuned === undefined ? undefined : tuned.internal.forRows!;
  const entry = (name: string, adapter: string | undefined): ServedModel => {
    const runnable = forRows === undefined ? asRunnable(model) : forRows([adapter]).groups[0]!.runnable;
    const canShare = forRows === undefined || adapter === undefined || sharesBatch(forRows, adapter);
    return { name, adapter, runnable, room: textPositions(runnable), canShare };
  };
  const names = [...(tuned?.adapters.keys() ?? [])];
  if (name === '' || names.includes(name)) {
    throw problem('serve', {
      what: 'the name of the model is not usable',
      got: name,
      expected: 'a text other than the names of the adapters',
      fix: 'give another by the option name',
    });
  }
  const text = served.endTokens ?? [];
  return {
    served,
    byName: new Map([[name, entry(name, undefined)], ...names.map(adapter => [adapter, entry(adapter, adapter)] as const)]), // prettier-ignore
    ends: { text, chat: [...new Set([...text, ...turnEnds(chatTemplate, tokenizer)])] },
  };
}

/** The model that a request names; its adapters and itself are told apart by nothing else, so no name reaches a file. */
export function findServed({ byName }: ServedModels, name: string | undefined): ServedModel {
  const found = name === undefined ? undefined : byName.get(name);
  if (found !== undefined) return found;
  const expected = [...byName.keys()].slice(0, 20).map(other => `'${other}'`).join(', '); // prettier-ignore
  if (name === undefined) {
    throw new ApiError({ what: 'the request names no model', expected, param: 'model', code: 'missing_parameter' });
  }
  throw new ApiError({
    ...{ status: 404, param: 'model', code: 'model_not_found' },
    what: 'there is no such model',
    got: name,
    expected,
  });
}

/** `'HuggingFaceTB/SmolLM2-135M'` → `'SmolLM2-135M'`; the file or folder of a path. */
function nameOf(source: string): string {
  return source.split(/[\\/]/).findLast(part => part !== '') ?? '';
}

function sharesBatch(forRows: NonNullable<Runnable['forRows']>, adapter: string): boolean {
  try {
    forRows([undefined, adapter]);
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}
