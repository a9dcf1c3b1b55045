import type { Model, RowGroups, Runnable } from '@dropbp/core';
import { mixedRunnable, type RowsOf } from './mixedRunnable.ts';

/** The rows of a batch, by their adapters, in the order in which the adapters first come. */
export function forRows(
  model: Model,
  adapters: readonly (string | undefined)[],
  find: (name: string | undefined) => Runnable,
): RowGroups {
  const groups = [...new Set(adapters)].map((adapter): RowsOf => {
    const rows = adapters.flatMap((other, row) => (other === adapter ? [row] : []));
    return { adapter, runnable: find(adapter), rows };
  });
  return { groups, together: groups.length === 1 ? groups[0]!.runnable : mixedRunnable(model, groups) };
}
