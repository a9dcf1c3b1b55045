import * as tf from '@tensorflow/tfjs';
import type { AttentionParts, Hooks, Scope } from '@dropbp/core';
import { isAdapted, memberScopes } from './memberScopes.ts';

/** Some rows of a batch and the hooks that they run with. */
export interface Member {
  readonly hooks: Hooks;
  readonly rows: number;
}

type LayerHook = NonNullable<Hooks['linear'] | Hooks['embedding']>;

/**
 * Hooks that run each member's on its own rows, which follow each other in the batch, for passes through which nothing flows
 * back and in which no sequence begins. A layer of the model runs once for all members that ask for it with their input as it
 * is.
 */
export function mixedHooks(members: readonly Member[]): Hooks {
  const begins = members.map((_, i) => members.slice(0, i).reduce((sum, { rows }) => sum + rows, 0));
  const rowsOf = (x: tf.Tensor, i: number): tf.Tensor =>
    tf.slice(x, [begins[i]!, ...x.shape.slice(1).map(() => 0)], [members[i]!.rows, ...x.shape.slice(1)]);
  const scopeOf = memberScopes();
  /** The member whose rows alone are at work, within its hook for attention. */
  let alone: number | undefined;
  const only = <T>(i: number, run: () => T): T => {
    alone = i;
    try {
      return run();
    } finally {
      alone = undefined;
    }
  };

  const layer =
    (hook: 'linear' | 'embedding'): LayerHook =>
    (name, input, base, p) => {
      if (!isAdapted(p, name)) return base(input);
      if (alone !== undefined)
        return members[alone]!.hooks[hook]?.(name, input, base, scopeOf(p, alone)) ?? base(input);
      let whole: tf.Tensor | undefined;
      const parts = members.map(({ hooks }, i) => {
        const rows = rowsOf(input, i);
        const ofRows = (x: tf.Tensor): tf.Tensor => (x === rows ? rowsOf((whole ??= base(input)), i) : base(x));
        return hooks[hook]?.(name, rows, ofRows, scopeOf(p, i)) ?? ofRows(rows);
      });
      return tf.concat(parts);
    };

  return {
    linear: layer('linear'),
    embedding: layer('embedding'),
    attention(name: string, { queries, gathered, keyValue, output }: AttentionParts, p: Scope) {
      if (!isAdapted(p, name) || members.every(({ hooks }) => hooks.attention === undefined)) return output(gathered);
      const parts = members.map(({ hooks }, i) => {
        const own: AttentionParts = {
          queries: rowsOf(queries, i),
          gathered: rowsOf(gathered, i),
          keyValue: states => only(i, () => keyValue(states)),
          output: mixed => only(i, () => output(mixed)),
        };
        return hooks.attention?.(name, own, scopeOf(p, i)) ?? own.output(own.gathered);
      });
      return tf.concat(parts);
    },
  };
}
