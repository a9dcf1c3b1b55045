import { hasTrainable } from '../../trainable.ts';
import { standInForEncoder } from '../encodeForPass.ts';
import type { Runnable } from '../runnable.ts';

/** Which branches, if kept, lead a gradient to a trainable parameter: themselves, or one before them does. */
export function leadsToTrainable(runnable: Runnable): boolean[] {
  const ready = standInForEncoder(runnable);
  let throughStream = trainsEmbedding(runnable);
  let throughInput = throughStream;
  return ready.branchScopes.map((scope, i) => {
    if (ready.model.branches[i]!.sharesInput !== true) throughInput = throughStream;
    const leads = throughInput || hasTrainable(scope);
    throughStream ||= leads;
    return leads;
  });
}

/** Which branches hold something trainable themselves. */
export function trainedBranches(runnable: Runnable): boolean[] {
  return standInForEncoder(runnable).branchScopes.map(hasTrainable);
}

/** Whether a gradient reaches anything trainable, where these branches are dropped. */
export function receivesGradient(runnable: Runnable, dropped: readonly boolean[]): boolean {
  const { branchScopes, outerScope } = standInForEncoder(runnable);
  return hasTrainable(outerScope) || branchScopes.some((scope, i) => dropped[i] !== true && hasTrainable(scope));
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
