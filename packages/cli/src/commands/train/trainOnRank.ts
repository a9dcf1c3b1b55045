import { problem } from '@dropbp/basics';
import { fromRoot, type Comm } from '@dropbp/train';
import { noteData, warnOfAnswers } from '../../data/noteData.ts';
import { readRunLog } from '../../record/runLog.ts';
import type { ExitCode, Terminal } from '../../terminal/terminal.ts';
import { writeFlag } from '../../flags/flag.ts';
import { listenForInterruption } from '../../terminal/interruption.ts';
import { ownCommand } from '../../terminal/ownCommand.ts';
import { styled } from '../../terminal/paint.ts';
import { shellWord } from '../../terminal/shellWord.ts';
import { statusLine } from '../../terminal/statusLine.ts';
import { dryRun, showDryRun } from './dryRun.ts';
import { noteDrops } from './noteDrops.ts';
import { prepareRun } from './preparedRun.ts';
import { acceptedNames } from '../../runFolder/identityOfRun.ts';
import { openRunFolder, type RunFolder } from '../../runFolder/runFolder.ts';
import { readRunOptions } from '../../runFolder/runOptions.ts';
import { planResume, type Resume } from '../../runFolder/planResume.ts';
import { showResult } from './showResult.ts';
import { startBackend } from '../../model/startBackend.ts';
import { notOfTheRun, trainFlags, type TrainFlagValues } from '../../flags/tables/trainFlags.ts';
import { trainRun } from './trainRun.ts';
import { trainSteps } from './trainSteps.ts';

/**
 * `dropbp train` on one of the ranks of a run, which all call this. Rank 0 says what is done and has the folder, which the others
 * need not see.
 */
export async function trainOnRank(
  given: TrainFlagValues,
  comm: Comm,
  terminal: Terminal,
): Promise<ExitCode | undefined> {
  let folder: RunFolder | undefined;
  try {
    const start = await fromRoot(comm, async () => {
      checkBatch(given, comm);
      folder = await openRunFolder(given.out, { ...given, acceptChanges: acceptedNames(given.acceptChanges) });
      const stored = given.resume ? await readRunOptions(given.out) : undefined;
      const startedAt = stored?.startedAt ?? new Date().toISOString();
      const past = folder.stepsDone > 0 ? await readRunLog(folder.log) : [];
      const before = past.find(event => event.type === 'heldOut' && event.step === 0);
      return {
        ...{ flags: given, stored: stored?.flags ?? {}, startedAt, stepsDone: folder.stepsDone },
        ...(before?.type === 'heldOut' && { lossBefore: before.loss }),
      };
    });
    return await trainIn(folder, start, comm, terminal);
  } finally {
    await folder?.release();
  }
}

interface Start {
  readonly flags: TrainFlagValues;
  /** Those that the run had before, as a configuration file has them. */
  readonly stored: Readonly<Record<string, unknown>>;
  readonly startedAt: string;
  readonly stepsDone: number;
  /** The held-out loss before training, of a run that goes on. */
  readonly lossBefore?: number;
}

async function trainIn(
  folder: RunFolder | undefined,
  { flags, stored, startedAt, stepsDone, lossBefore }: Start,
  comm: Comm,
  terminal: Terminal,
): Promise<ExitCode | undefined> {
  const backend = await startBackend(flags.backend, terminal);
  const run = await prepareRun(flags, startedAt, statusLine(terminal));
  if (flags.dryRun) {
    warnOfAnswers(run.dataset, run.data, terminal);
    const plan = comm.rank === 0 ? await dryRun(run) : undefined;
    if (plan) terminal.out(flags.json ? `${JSON.stringify(plan, undefined, 2)}\n` : showDryRun(plan));
    return undefined;
  }
  noteData(run.dataset, run.data, run.settings, terminal);
  noteDrops(run, terminal);
  const options = { startedAt, flags: flagsOfRun(flags) };
  let resume: Resume | undefined;
  await fromRoot(comm, async () => {
    resume = await planResume(run.settings, flags, folder!, [options.flags, stored]);
    await folder!.begin(options);
  });
  if (stepsDone > 0) terminal.notes(`Going on after step ${stepsDone}\n`);
  const interruption = listenForInterruption(terminal, 'Finishing this step; Ctrl-C again ends at once');
  // Another rank may have been asked to stop.
  const stopCode = (): ExitCode => interruption.exitCode() ?? 130;
  try {
    if (folder === undefined) {
      const ended = await trainSteps(run, {
        ...silent,
        comm,
        lossBefore,
        stop: interruption.signal,
        folder: { checkpoints: flags.out, stepsDone },
      });
      return ended === 'stop' ? stopCode() : undefined;
    }
    const own = folder;
    const record = await trainRun(run, {
      ...{ folder: own, resume: resume!, lossBefore, comm, terminal, interruption, backend, startedAt },
      onUnderWay: () => (stepsDone > 0 ? own.goOn(options, resume!.changes) : Promise.resolve()),
    });
    if (record.ended?.why === 'stop') {
      const { keptStep } = record.ended;
      const what =
        keptStep === 0
          ? 'Stopped before the first step: nothing was trained. To begin again:'
          : `Stopped after step ${keptStep}, with all that is needed to go on:`;
      terminal.notes(styled`${what}\n  ${ownCommand(`train --resume --out ${shellWord(flags.out)}`)}\n`);
      return stopCode();
    }
    showResult(record, flags, terminal, run.dataset.format.name === 'chat');
    return undefined;
  } finally {
    interruption.release();
    run.tuned.dispose();
    run.tuned.model.dispose();
  }
}

/** A rank that has nothing to tell. */
const silent = {
  observer: { observe: (): void => undefined, flush: (): void => undefined, close: (): void => undefined },
  kept: {},
  onUnderWay: (): Promise<void> => Promise.resolve(),
  onEvaluated: (): Promise<void> => Promise.resolve(),
};

function checkBatch({ batch }: TrainFlagValues, { size }: Comm): void {
  if (batch % size === 0) return;
  throw problem('cli', {
    what: '--batch cannot be dealt evenly to the ranks',
    got: `${batch} sequences for ${size} ranks`,
    expected: `a multiple of ${size}: the sequences of all ranks together`,
    fix: `give --batch ${Math.ceil(batch / size) * size}, or start another number of ranks`,
  });
}

/** What a run goes on with: not how this command was asked for it. */
function flagsOfRun(flags: TrainFlagValues): Readonly<Record<string, unknown>> {
  const ofTheRun = Object.entries(flags).filter(([key]) => !notOfTheRun.includes(key));
  return Object.fromEntries(ofTheRun.map(([key, value]) => [key, writeFlag(trainFlags, key, value)]));
}
