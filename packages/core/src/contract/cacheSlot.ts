import type { KeyValue, Scope } from './branch.ts';

/**
 * Generation: where the keys and values of one branch are kept from pass to pass.
 *
 * The arithmetic (`extend`) is apart from the keeping (`reads`, `store`), so that an engine can compile it together with
 * the branch: the tensors are then inputs and results of the compiled function.
 */
export interface CacheSlot {
  /** The tensors that `extend` reads, by name. Their shapes change rarely: an engine compiles each anew. */
  readonly reads: Scope;
  /** A plain function of tensors, the same function object for all slots and passes that do the same. */
  readonly extend: ExtendCache;
  /** Takes over what `extend` said to store. Not called for a branch without keys. */
  store(pair: KeyValue): void;
}

/**
 * Puts keys and values of a pass to those in a cache.
 *
 * @param own - keys and values of this pass
 * @returns what the queries see: keys and values of the whole sequence so far; and what to store for the next pass
 */
export type ExtendCache = (
  own: KeyValue,
  reads: Scope,
) => {
  /** What the queries of this pass see. */
  readonly seen: KeyValue;
  /** What {@link CacheSlot.store} takes over. */
  readonly stored: KeyValue;
};
