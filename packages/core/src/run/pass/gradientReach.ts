import type { Scope } from '../../contract/branch.ts';
import { hasTrainable } from '../../trainable.ts';
import { standInForEncoder } from '../encodeForPass.ts';
import type { Runnable } from '../runnable.ts';
import { joinScope, ownScope } from './joinScopes.ts';

/** Which branches, if kept, lead a gradient to a trainable parameter: themselves, or one before them does. */
export function leadsToTrainable(runnable: Runnable): boolean[] {
  const ready = standInForEncoder(runnable);
  let throughStream = trainsEmbedding(runnable);
  let throughInput = throughStream;
  return ready.branchScopes.map((scope, i) => {
    const branch = ready.model.branches[i]!;
    if (branch.sharesInput !== true) throughInput = throughStream;
    const leads = throughInput || hasTrainable(ownScope(branch, scope));
    throughStream ||= leads || hasTrainable(joinScope(branch, scope));
    return leads;
  });
}

/** Which branches hold something trainable themselves, beside what their joins read. */
export function trainedBranches(runnable: Runnable): boolean[] {
  const { model, branchScopes } = standInForEncoder(runnable);
  return branchScopes.map((scope, i) => hasTrainable(ownScope(model.branches[i]!, scope)));
}

/** Whether a gradient reaches anything trainable, where these branches are dropped. */
export function receivesGradient(runnable: Runnable, dropped: readonly boolean[]): boolean {
  const { model, branchScopes, outerScope } = standInForEncoder(runnable);
  const reached = (scope: Scope, i: number): Scope =>
    dropped[i] === true ? joinScope(model.branches[i]!, scope) : scope;
  return hasTrainable(outerScope) || branchScopes.some((scope, i) => hasTrainable(reached(scope, i)));
}

/** Whether something in front of the first branch is trained. */
export function trainsEmbedding(runnable: Runnable): boolean {
  return isEmbeddingTrained(standInForEncoder(runnable));
}

/** The same for a runnable whose encoder has run: parameters of the embedding and what adapters put there, not those of the head. */
export function isEmbeddingTrained({ model, outerScope }: Runnable): boolean {
  const entries = Object.entries(outerScope).filter(([name]) => model.isEmbeddingParameter(name));
  return hasTrainable(Object.fromEntries(entries));
}
