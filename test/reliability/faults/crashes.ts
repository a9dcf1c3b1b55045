import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { Interposer } from './control.ts';
import { diskModel, losses, type Loss } from './diskModel.ts';
import { findFault, prepareScenario, type Scenario } from './turns.ts';

/** How many states a crash could leave, and how many of them were gone on from. */
export interface CrashTally {
  readonly scenario: string;
  /** Calls after which the machine could crash. */
  points: number;
  /** States that differ. */
  states: number;
  /** Of these, those that were gone on from. */
  tried: number;
}

/** Crashes the machine after each call that changes something, with all kinds of losses, and goes on from what is left. */
export async function crashInTurn(
  interposer: Interposer,
  scenario: Scenario,
  folder: string,
  { isOver, part, parts }: { readonly isOver: () => boolean; readonly part: number; readonly parts: number },
): Promise<{ tally: CrashTally; failures: string[] }> {
  prepareScenario(scenario, folder);
  const before = diskModel(folder);
  const calls = await interposer.record(() => scenario.run(folder));
  const expected = scenario.result(folder);
  const model = before;
  const tally: CrashTally = { scenario: scenario.name, points: 0, states: 0, tried: 0 };
  const failures: string[] = [];
  const seen = new Set<string>();
  for (const [i, call] of calls.entries()) {
    if (!model.apply(call)) continue;
    tally.points++;
    for (const loss of losses) {
      const state = createHash('sha256').update(model.describe(loss)).digest('hex');
      if (seen.has(state)) continue;
      seen.add(state);
      tally.states++;
      // A part of the states, spread over all, where time is short.
      if (tally.states % parts !== part || isOver() || failures.length >= 20) continue;
      tally.tried++;
      rmSync(folder, { recursive: true, force: true });
      model.write(folder, loss);
      const wrong = await tryState(scenario, folder, expected);
      if (wrong !== undefined) failures.push(`${scenario.name}, ${where(i, call, loss)}: ${wrong}`);
    }
  }
  return { tally, failures };
}

async function tryState(scenario: Scenario, folder: string, expected: string): Promise<string | undefined> {
  // The crashed command itself says nothing.
  const ending = { code: 1, notes: 'dropbp train: crashed' };
  return findFault(scenario, folder, ending, expected).catch((error: unknown) => String(error));
}

function where(index: number, { name, path }: { name: string; path: string }, { name: loss }: Loss): string {
  return `crash after call ${index} (${name} ${path}), ${loss}`;
}
