import { problem, writeAtomically } from '@dropbp/basics';
import { listCheckpoints, restoreCheckpoint, type Comm } from '@dropbp/train';
import { exists } from '../../files/exists.ts';
import type { RunEvent } from '../../record/runEvent.ts';
import { openRunLog } from '../../record/runLog.ts';
import { readRun } from '../../record/readRun.ts';
import { renderReport } from '../../report/renderReport.ts';
import { tensorBoardWriter } from '../../tensorboard/tensorBoardWriter.ts';
import type { Interruption } from '../../terminal/interruption.ts';
import { progressBar } from '../../terminal/progress/progressBar.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { nameOfRun } from '../../method/chooseMethod.ts';
import { writeTokenizer } from '../../model/growVocabulary.ts';
import type { PreparedRun } from './preparedRun.ts';
import { recordOfRun } from './recordOfRun.ts';
import type { RunFolder } from '../../runFolder/runFolder.ts';
import type { RunChange, RunRecord } from '../../record/runRecord.ts';
import { evaluationNotes } from './evaluationNotes.ts';
import { bestHeldOut } from '../../record/heldOutCourse.ts';
import type { Resume } from '../../runFolder/planResume.ts';
import { trainSteps } from './trainSteps.ts';

/** What {@link trainRun} takes beside the run. */
export interface TrainRunOptions {
  readonly folder: RunFolder;
  /** The held-out loss before training, of a run that goes on. */
  readonly lossBefore: number | undefined;
  /** What its checkpoints know of it. @defaultValue what the loop knows alone */
  readonly resume?: Resume;
  /** This is rank 0 of its ranks. */
  readonly comm: Comm;
  readonly terminal: Terminal;
  readonly interruption: Pick<Interruption, 'signal'>;
  readonly backend: string;
  /** ISO 8601: when the run began, in its first life. */
  readonly startedAt: string;
  /** Is waited for when the first step of this life of the run is done. */
  readonly onUnderWay: () => Promise<void>;
}

/**
 * Trains, or goes on with it, and writes log, checkpoints and report while it does; when the run is over, what was trained
 * and the record of the run, which comes last.
 *
 * @returns the record; `ended` says whether the run is over
 */
export async function trainRun(run: PreparedRun, options: TrainRunOptions): Promise<RunRecord> {
  const { folder, resume, lossBefore, comm, terminal, interruption, backend, startedAt, onUnderWay } = options;
  const { settings, tuned } = run;
  const previous = await previousRecord(folder.record);
  const { past, log } = await openRunLog(folder.log, folder.stepsDone);
  const board = tensorBoardWriter(folder.tensorBoard, folder.stepsDone + 1, { suffix: folder.boardSuffix });
  const events: RunEvent[] = [...past];
  const bar = progressBar({ terminal, total: settings.steps, start: folder.stepsDone, label: nameOfRun(settings) });
  const note = evaluationNotes(bar, terminal, past);
  const observer = {
    observe(event: RunEvent): void {
      folder.check();
      events.push(event);
      log.observe(event);
      board.observe(event);
      note(event);
      if (event.type === 'step')
        bar.update({ ...event, ...(tuned.internal.dropSchedule === undefined && { dropped: undefined }) });
    },
    flush(): void {
      log.flush();
      board.flush();
    },
    close(): void {
      log.close();
      board.close();
      bar.stop();
    },
  };
  const record = (ended: RunRecord['ended']): RunRecord => {
    const changes = changesSoFar(folder, events, resume);
    return recordOfRun(run, events, { startedAt, ended, backend, ...(changes.length > 0 && { changes }) });
  };
  const write = async (path: string, content: string): Promise<void> => {
    folder.check();
    await writeAtomically('cli', path, content);
  };
  const report = (made: RunRecord): Promise<void> => write(folder.report, renderReport([made]));
  // What a checkpoint counts as done is in the log, and another process may have taken over.
  const guard = (): void => {
    observer.flush();
    folder.check();
  };

  let ended;
  try {
    ended = await trainSteps(run, {
      ...{
        folder,
        lossBefore,
        comm,
        observer,
        onUnderWay,
        stop: interruption.signal,
        kept: { ...resume?.kept, guard },
      },
      onEvaluated: () => report(record(null)),
    });
  } finally {
    observer.close();
  }
  const why = ended ?? whyOver(lastStep(events), settings.steps, interruption.signal.aborted);
  if (why === 'stop') {
    const stopped = record({ why, keptStep: lastStep(events) });
    await report(stopped);
    return stopped;
  }
  const keptStep = await keepBest(run, folder, events);
  const made = recordAtEnd(record({ why, keptStep }), lastStep(events) > folder.stepsDone ? undefined : previous);
  await folder.publish(partOf(settings.adapter), async directory => {
    await tuned.save(directory);
    if (run.tokenizerFiles !== undefined) await writeTokenizer(directory, run.tokenizerFiles);
  });
  await report(made);
  await write(folder.record, `${JSON.stringify(made, undefined, 1)}\n`);
  return made;
}

/** The record of a run, with what its earlier lives were like where this one has taken no step. */
function recordAtEnd(made: RunRecord, previous: RunRecord | undefined): RunRecord {
  if (previous === undefined) return made;
  const { name, ended } = made;
  const { keep } = made.options;
  return { ...previous, name, ended, options: { ...previous.options, keep, name: made.options.name } };
}

/** What was changed on purpose, by now: this life's own counts when it has taken a step. */
function changesSoFar(
  folder: RunFolder,
  events: readonly RunEvent[],
  resume: Resume | undefined,
): readonly RunChange[] {
  const afterStep = folder.stepsDone;
  if (lastStep(events) <= afterStep) return folder.changes.filter(change => change.afterStep <= afterStep);
  const before = folder.changes.filter(change => change.afterStep < afterStep);
  return [...before, ...(resume?.changes ?? []).map(change => ({ ...change, afterStep }))];
}

async function previousRecord(path: string): Promise<RunRecord | undefined> {
  return (await exists(path)) ? readRun(path) : undefined;
}

/** What a method leaves: a folder of an adapter, or of a whole model. */
export function partOf(adapter: PreparedRun['settings']['adapter']): 'adapter' | 'model' {
  return adapter === 'full' ? 'model' : 'adapter';
}

/**
 * Puts the parameters back to the step of the best held-out loss, if that is wanted and one lies below the loss before training.
 *
 * @returns the step that they are of
 */
async function keepBest(
  { settings, tuned }: PreparedRun,
  folder: RunFolder,
  events: readonly RunEvent[],
): Promise<number> {
  const last = lastStep(events);
  const best = bestHeldOut(events.filter(event => event.type === 'heldOut'));
  if (settings.keep === 'last' || best === undefined || best.step === last) return last;
  const checkpoint = (await listCheckpoints(folder.checkpoints)).find(({ step }) => step === best.step);
  if (checkpoint === undefined) {
    throw problem('cli', {
      what: `the checkpoint of step ${best.step}, the best, is gone from ${folder.checkpoints}`,
      fix: 'give --resume --keep last to take the last step',
    });
  }
  await restoreCheckpoint(tuned, checkpoint.path);
  return best.step;
}

function lastStep(events: readonly RunEvent[]): number {
  return events.reduce((last, { type, step }) => (type === 'step' ? step : last), 0);
}

/** Of a run whose last step does not say it: none was left to do, or Ctrl-C came before the first or between two. */
function whyOver(done: number, steps: number, isStopped: boolean): 'steps' | 'patience' | 'stop' {
  if (done >= steps) return 'steps';
  return isStopped ? 'stop' : 'patience';
}
