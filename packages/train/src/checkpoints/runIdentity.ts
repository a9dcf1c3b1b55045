import { problem } from '@dropbp/basics';
import type { TrainPlan } from '../options/trainOptions.ts';

/** What a run is of, by names that a message may give: options, a model, data. JSON-safe. */
export type RunIdentity = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** The parts of a run's plan that change what its steps come to. */
export type IdentifyingPlan = Pick<
  TrainPlan,
  'optimizer' | 'accumulation' | 'seed' | 'learningRate' | 'maxGradientNorm' | 'schedule'
>;

/** What a loop knows of its run. @param steps - the length of the run for which the schedule is looked at */
export function identityOf(plan: IdentifyingPlan, steps: number): RunIdentity {
  const { accumulation, seed, learningRate, maxGradientNorm, schedule, optimizer } = plan;
  const points = [1, Math.ceil(steps / 4), Math.ceil(steps / 2), Math.ceil((3 * steps) / 4)];
  return {
    ...{ accumulation, seed, learningRate },
    maxGradientNorm: maxGradientNorm === Infinity ? 'none' : maxGradientNorm,
    schedule: `factors ${points.map(step => schedule(step - 1, steps).toPrecision(6)).join(', ')}`,
    ...optimizer.options,
  };
}

/** One part of a run that is not what it was. */
export interface Change {
  /** What has changed: the name of an option, or of a file. */
  readonly name: string;
  /** What the checkpoint says. */
  readonly from: unknown;
  /** What this run says; null if it says nothing. */
  readonly to: unknown;
}

/** What differs of what a checkpoint knows. What it does not know is no change. */
export function changesOf(stored: RunIdentity, own: RunIdentity): Change[] {
  const text = (value: unknown): string => JSON.stringify(value ?? null);
  return Object.entries(stored)
    .filter(([name, from]) => text(from) !== text(own[name]))
    .map(([name, from]) => ({ name, from, to: own[name] ?? null }));
}

/** @throws Problem that says what differs of what was not accepted */
export function checkChanges(folder: string, changes: readonly Change[], accepted: readonly string[]): void {
  const wrong = changes.filter(({ name }) => !accepted.includes(name));
  if (wrong.length === 0) return;
  const names = wrong.map(({ name }) => name);
  const values = (side: 'from' | 'to'): unknown =>
    wrong.length === 1 ? wrong[0]![side] : Object.fromEntries(wrong.map(change => [change.name, change[side]]));
  const expected = values('from');
  throw problem('train', {
    what: `the checkpoint ${folder} was made with another ${names.join(' and another ')}`,
    got: values('to'),
    expected: typeof expected === 'string' ? expected : JSON.stringify(expected),
    fix: `go on with ${wrong.length === 1 ? 'that one' : 'those'}, begin a new run in another directory, or take the new on purpose by acceptChanges: [${[...accepted, ...names].map(name => `'${name}'`).join(', ')}]`,
  });
}
