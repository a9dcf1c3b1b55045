import { nearNames, problem } from '@dropbp/basics';
import { findTokenHead, type Model } from '@dropbp/core';
import type { LoraSettings, TokenIndices } from './settings.ts';

/** A table some of whose rows are trained. */
export interface TrainedTable {
  /** An embedding, or the output layer. */
  readonly module: string;
  readonly entries: number;
  readonly width: number;
  /** The entries whose rows are trained, in the order of the rows. */
  readonly indices: readonly number[];
  /** The head, where it shares the table and its trained rows. */
  readonly sharedWith?: string;
}

/**
 * The tables that `trainableTokenIndices` names. As in PEFT, a head that is tied to the embedding shares its rows, unless the
 * two are given different ones.
 *
 * @throws Problem for a name that no table or several have, an entry that the table has not, or tables that cannot be told apart
 */
export function trainedTables(model: Model, settings: LoraSettings): TrainedTable[] {
  const { trainableTokenIndices: tokens, ensureWeightTying } = settings;
  if (tokens === undefined) return [];
  const tables = (isList(tokens) ? [[model.embedding, tokens] as const] : Object.entries(tokens)).map(
    ([name, indices]) => makeTable(model, name, indices),
  );
  const head = findTokenHead(model);
  const isTied = head?.weight === `${model.embedding}.weight`;
  const [source, ownHead] = [model.embedding, head?.path].map(module => tables.find(table => table.module === module));
  if (new Set(tables.map(({ module }) => module)).size < tables.length) {
    throw problem('peft-lora', { what: 'trainableTokenIndices names one table twice', got: tokens });
  }
  if (head === undefined || !isTied || source === undefined) return tables;
  const differs = ownHead !== undefined && String(ownHead.indices) !== String(source.indices);
  if (differs && ensureWeightTying) {
    throw problem('peft-lora', {
      what: 'ensureWeightTying: embedding and output layer share one table, but other tokens of each are trained',
      got: tokens,
      fix: 'give both the same tokens, or the embedding alone',
    });
  }
  if (differs) return tables;
  return tables.filter(table => table !== ownHead).map(table => (table === source ? { ...table, sharedWith: head.path } : table)); // prettier-ignore
}

function isList(tokens: TokenIndices): tokens is readonly number[] {
  return Array.isArray(tokens);
}

function makeTable({ modules }: Model, name: string, indices: readonly number[]): TrainedTable {
  const tables = [...modules].filter(([, { kind, isOutput }]) => kind === 'embedding' || isOutput === true);
  // Without a dot before it, as PEFT looks for it.
  const found = tables.filter(([module]) => module.endsWith(name));
  const [first] = found;
  if (found.length !== 1 || first === undefined) {
    const known = tables.map(([module]) => module);
    const near = nearNames(name, new Set(known.flatMap(module => [module, module.split('.').at(-1)!])));
    throw problem('peft-lora', {
      what: `trainableTokenIndices: '${name}' names ${found.length === 0 ? 'no table' : 'several tables'} of the model`,
      expected: `one of ${known.join(', ')}`,
      ...(near.length > 0 && { fix: `did you mean '${near[0]!}'?` }),
    });
  }
  const [module, { kind, inFeatures, outFeatures }] = first;
  const [entries, width] = kind === 'embedding' ? [inFeatures, outFeatures] : [outFeatures, inFeatures];
  const beyond = indices.filter(index => index >= entries);
  if (beyond.length > 0) {
    throw problem('peft-lora', {
      what: `trainableTokenIndices: '${module}' has ${entries} entries`,
      got: beyond,
      expected: `0 to ${entries - 1}`,
    });
  }
  return { module, entries, width, indices };
}
