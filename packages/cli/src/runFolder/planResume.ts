import { problem } from '@dropbp/basics';
import { changesOf, type Change, type CheckpointOptions } from '@dropbp/train';
import { flagName } from '../flags/flagName.ts';
import { acceptedInAll, acceptedNames, identityOfRun } from './identityOfRun.ts';
import type { RunFolder } from './runFolder.ts';
import type { RunSettings } from './runSettings.ts';

/** How a run goes on, or begins. */
export interface Resume {
  /** For its checkpoints. */
  readonly kept: Pick<CheckpointOptions, 'identity' | 'acceptChanges' | 'fromStep'>;
  /** What differs of what the checkpoint knows. */
  readonly changes: readonly Change[];
}

/** Flags that have an effect on a run that is over: on what is kept of it, and how it is called. */
const alwaysHeard: readonly string[] = ['keep', 'name'];

/**
 * Compares a run with the checkpoint that it goes on from. What differs and was not accepted is refused when that is read.
 *
 * @param given - the flags of this call
 * @param flags - those to go on with later, as a configuration file has them
 * @param stored - those of before
 * @throws Problem for what would have no effect on a run that is over
 */
export async function planResume(
  settings: RunSettings,
  given: { readonly acceptChanges?: readonly string[] | undefined; readonly fromStep?: number | undefined },
  folder: RunFolder,
  [flags, stored]: readonly Readonly<Record<string, unknown>>[],
): Promise<Resume> {
  const { last, run } = folder;
  const identity = await identityOfRun(settings, run);
  const accepted = acceptedNames(given.acceptChanges);
  if (last === undefined) return { kept: { identity }, changes: [] };
  const own = changesOf(last.identity, { ...last.identity, ...identity });
  // A life that ended before its first checkpoint has taken them on purpose already.
  const taken = folder.changes.filter(
    ({ afterStep, name, to }) => afterStep === last.step && own.some(one => isSame(one, { name, to })),
  );
  const names = [...accepted, ...taken.map(({ name }) => name)].filter(
    name => name !== 'data' || own.some(change => change.name === 'data'),
  );
  const over = last.step >= settings.steps || last.evaluationsSinceBest >= (settings.patience ?? Infinity);
  if (over) refuseIdle(folder.path, last.step, settings, [...own, ...rawChanges(flags!, stored!, identity)]);
  const { fromStep } = given;
  const longer = last.plannedSteps === settings.steps ? [] : [{ name: 'steps', from: last.plannedSteps, to: settings.steps }]; // prettier-ignore
  return {
    kept: {
      identity,
      acceptChanges: acceptedInAll(names, own),
      ...(fromStep !== undefined && { fromStep }),
    },
    changes: [...own, ...longer],
  };
}

/** What differs of flags that are not part of what a run is of. */
function rawChanges(
  flags: Readonly<Record<string, unknown>>,
  stored: Readonly<Record<string, unknown>>,
  identity: object,
): Change[] {
  const text = (value: unknown): string => JSON.stringify(value ?? null);
  return [...new Set([...Object.keys(flags), ...Object.keys(stored)])]
    .filter(name => !(name in identity) && ![...alwaysHeard, 'model', 'steps', 'epochs'].includes(name))
    .filter(name => text(flags[name]) !== text(stored[name]))
    .map(name => ({ name, from: stored[name] ?? null, to: flags[name] ?? null }));
}

function refuseIdle(path: string, step: number, settings: RunSettings, changes: readonly Change[]): void {
  const fewer = settings.steps < step ? [{ name: 'steps', from: step, to: settings.steps }] : [];
  const idle = [...changes, ...fewer];
  if (idle.length === 0) return;
  const values = (side: 'from' | 'to'): object => Object.fromEntries(idle.map(change => [change.name, change[side]]));
  const called = idle.map(({ name }) => (name in settings ? flagName(name) : `another ${name}`));
  throw problem('cli', {
    what: `the run in ${path} is over after step ${step}, so that ${called.join(' and ')} would have no effect`,
    got: values('to'),
    expected: JSON.stringify(values('from')),
    fix: 'leave them as they were; give more --steps to train on with them; or give another --out for another run',
  });
}

function isSame(a: Pick<Change, 'name' | 'to'>, b: Pick<Change, 'name' | 'to'>): boolean {
  return a.name === b.name && JSON.stringify(a.to) === JSON.stringify(b.to);
}
