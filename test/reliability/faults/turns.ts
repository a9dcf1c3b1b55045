import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkWhole } from '../checkWhole.ts';
import { outcome } from '../outcome.ts';
import { emptyFolder, type Call, type Fault, type Interposer } from './control.ts';
import { dropbp, faultOfEnding, orphanLocks, type Ending } from './subject.ts';

/** A command whose calls fail in turn. */
export interface Scenario {
  readonly name: string;
  /** Makes the folder as it is before. */
  prepare(folder: string): void;
  /** What is disturbed. */
  run(folder: string): Promise<Ending>;
  /** What is tried next, undisturbed: it must succeed. */
  again(folder: string): Promise<Ending>;
  /** What must be the same in the end. */
  result(folder: string): string;
  /** Files of others, which must be as they were. */
  readonly foreign: readonly string[];
}

/** How many calls, faults and endings there were. */
export interface TurnTally {
  readonly scenario: string;
  calls: number;
  faults: number;
  succeeded: number;
  refused: number;
}

/** Fails each call of a scenario in turn, with each fault that it can have. */
export async function failInTurn(
  interposer: Interposer,
  scenario: Scenario,
  folder: string,
  { isOver, part, parts }: { readonly isOver: () => boolean; readonly part: number; readonly parts: number },
): Promise<{ tally: TurnTally; failures: string[] }> {
  const failures: string[] = [];
  prepareScenario(scenario, folder);
  const calls = (await interposer.record(() => scenario.run(folder))).filter(({ name }) => name === 'count');
  const expected = scenario.result(folder);
  const tally: TurnTally = { scenario: scenario.name, calls: calls.length, faults: 0, succeeded: 0, refused: 0 };
  for (const [i, { at, fault }] of faultsToTry(calls).entries()) {
    if (i % parts !== part) continue;
    if (isOver()) break;
    prepareScenario(scenario, folder);
    const { value: ending, failed } = await interposer.disturb(() => scenario.run(folder), at, fault);
    if (failed === '') continue;
    tally.faults++;
    if (ending.code === 0) tally.succeeded++;
    else tally.refused++;
    const wrong = await findFault(scenario, folder, ending, expected).catch((error: unknown) => String(error));
    if (wrong !== undefined) {
      failures.push(`${scenario.name}, ${fault} in call ${at} (${failed}): ${wrong}`);
      if (failures.length >= 20) break;
    }
  }
  return { tally, failures };
}

export function prepareScenario(scenario: Scenario, folder: string): void {
  emptyFolder(folder);
  scenario.prepare(folder);
  for (const name of scenario.foreign) writeFileSync(join(folder, name), name);
}

/**
 * Every call with every fault that it can have. Of calls of one kind on one file the first comes first, so that a limit of time leaves
 * out what is most alike.
 */
function faultsToTry(calls: readonly Call[]): { readonly at: number; readonly fault: Fault }[] {
  const seen = new Map<string, number>();
  const all = calls.flatMap(({ to: call, path }, i) => {
    const kind = `${call} ${path.replaceAll(/[0-9a-f-]{36}|\d+/g, '#')}`;
    const before = seen.get(kind) ?? 0;
    seen.set(kind, before + 1);
    return faults.filter(fault => canHave(call, fault)).map(fault => ({ at: i + 1, fault, before }));
  });
  return all.sort((a, b) => a.before - b.before);
}

const faults: readonly Fault[] = ['EIO', 'ENOSPC', 'EINTR', 'short'];

/** Only what writes can find the disk full; only what has bytes can be short. */
function canHave(call: string, fault: Fault): boolean {
  if (fault === 'ENOSPC') return /^(create|write|truncate|fsync|mkdir|rename|link|symlink|close)$/.test(call);
  return fault !== 'short' || /^(read|write)$/.test(call);
}

export async function findFault(
  scenario: Scenario,
  folder: string,
  ending: Ending,
  expected: string,
): Promise<string | undefined> {
  const wrong = faultOfEnding(ending);
  if (wrong !== undefined) return wrong;
  const { broken } = await checkWhole(folder);
  if (broken.length > 0) return `half written: ${broken.join('; ')}; ${ending.notes}`;
  if (ending.code === 0 && scenario.result(folder) !== expected) return 'it succeeded with another result';
  orphanLocks(folder);
  const next = await scenario.again(folder);
  if (next.code !== 0) return `what was tried next failed: ${next.notes}; the first had said: ${ending.notes}`;
  if (scenario.result(folder) !== expected) return 'what was tried next came to another result';
  const { leftovers } = await checkWhole(folder);
  const hidden = leftovers - scenario.foreign.filter(name => /(^|\/)\./.test(name)).length;
  if (hidden > 0) return `${hidden} leftovers stay`;
  for (const name of scenario.foreign) {
    if (!existsSync(join(folder, name)) || readFileSync(join(folder, name), 'utf8') !== name) return `${name} is gone`;
  }
  return undefined;
}

/** Where the run lies in a scenario's folder. */
export const runIn = (folder: string): string => join(folder, 'run');

/** A run that begins: what follows is a resume, or a new beginning where nothing was begun. */
export function beginScenario(flags: readonly string[]): Scenario {
  return {
    name: 'a run from its beginning',
    prepare: () => undefined,
    run: folder => dropbp(['train', ...flags, '--out', runIn(folder)]),
    again: folder => dropbp(['train', ...flags, '--out', runIn(folder), '--resume']),
    result: folder => outcome(runIn(folder)),
    foreign: ['beside.txt'],
  };
}

/** A run that goes on from a checkpoint, with files of others in its folder. @param stopped - the folder of a stopped run */
export function resumeScenario(stopped: string): Scenario {
  const resume = (folder: string): Promise<Ending> => dropbp(['train', '--resume', '--out', runIn(folder)]);
  return {
    name: 'a run that goes on',
    prepare: folder => cpSync(stopped, runIn(folder), { recursive: true }),
    run: resume,
    again: resume,
    result: folder => outcome(runIn(folder)),
    foreign: ['run/notes.txt', 'run/checkpoints/notes.txt', 'run/tensorboard/notes.txt', 'run/.notes.tmp'],
  };
}

/** The merge of an adapter. @param adapter - its folder */
export function mergeScenario(adapter: string): Scenario {
  const merge = (folder: string): Promise<Ending> =>
    dropbp(['merge', '--adapter', adapter, '--out', join(folder, 'merged'), '--backend', 'cpu']);
  return {
    name: 'a merge',
    prepare: () => undefined,
    run: merge,
    async again(folder) {
      // A merge that had written all before a flush failed may have its name already.
      if (existsSync(join(folder, 'merged'))) rmSync(join(folder, 'merged'), { recursive: true });
      return merge(folder);
    },
    result: folder =>
      ['config.json', 'model.safetensors', 'tokenizer.json']
        .map(name => readFileSync(join(folder, 'merged', name)).toString('base64'))
        .join(),
    foreign: ['beside.txt', '.merged.tmp'],
  };
}
