import type { FuzzTarget } from './target.ts';
import { dataTargets } from './targets/data.ts';

/** Everything that is fuzzed. Add a file to `targets` and its list here. */
export async function fuzzTargets(): Promise<readonly FuzzTarget[]> {
  return [...(await dataTargets())];
}
