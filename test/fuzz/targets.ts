import type { FuzzTarget } from './target.ts';
import { commandTargets } from './targets/command.ts';
import { dataTargets } from './targets/data.ts';
import { modelTargets } from './targets/models.ts';
import { runTargets } from './targets/runs.ts';

/** Everything that is fuzzed. Add a file to `targets` and its list here. */
export async function fuzzTargets(): Promise<readonly FuzzTarget[]> {
  return [...(await dataTargets()), ...modelTargets(), ...(await runTargets()), ...(await commandTargets())];
}
