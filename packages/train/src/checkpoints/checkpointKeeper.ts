import {
  errorCode,
  makeFolder,
  nodeModule,
  problem,
  Problem,
  removeFolder,
  removeLeftovers,
  writeAtomically,
  writeFolderAtomically,
  writeProblem,
} from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { TrainPlan } from '../trainOptions.ts';
import type { CheckpointPlan } from './checkpointOptions.ts';
import { checkpointName, isCheckpointName, listCheckpoints } from './checkpointFolders.ts';
import { readCheckpointState, stateFile, type CheckpointState } from './checkpointState.ts';
import { readOptimizerTensors, readParameters, writeOptimizerTensors, writeParameters } from './checkpointTensors.ts';
import { beginning, type Course } from './course.ts';

/** Writes a run's checkpoints, and removes those that are not wanted any more. */
export interface CheckpointKeeper {
  /** Where the run stands: what the newest checkpoint says, or its beginning. */
  readonly course: Course;
  /** Whether a step is to be kept. @param isLast - whether the run ends with it */
  isDue(course: Course, isLast: boolean): boolean;
  /** Writes a checkpoint, then removes old ones. @returns its folder */
  save(course: Course): Promise<string>;
  /**
   * Removes the newest checkpoint if it is that of this step, whose parameters turned out to be spoiled. That of the best
   * held-out loss stays.
   */
  takeBack(course: Course): Promise<void>;
  /** The newest checkpoint; undefined before the first. */
  readonly newest: string | undefined;
}

/**
 * Opens the directory of a run's checkpoints, and where the run is to go on, puts everything back as it was.
 *
 * @throws Problem if there are checkpoints that were not asked for, or the newest is not of such a run
 */
export async function openCheckpoints(
  tuned: Tuned,
  { optimizer, accumulation, seed }: Pick<TrainPlan, 'optimizer' | 'accumulation' | 'seed'>,
  { directory, every, keep, resume }: CheckpointPlan,
): Promise<CheckpointKeeper> {
  await makeFolder('train', directory);
  const last = (await listCheckpoints(directory)).at(-1);
  await removeLeftovers('train', directory, isCheckpointName).catch((error: unknown) => {
    throw error instanceof Problem ? error : writeProblem('train', directory, error);
  });
  if (last !== undefined && !resume) {
    throw problem('train', {
      what: `${directory} holds the checkpoints of a run`,
      got: checkpointName(last.step),
      fix: 'go on with it by resume: true, or give another directory',
    });
  }
  let newest = last?.path;
  const course = newest === undefined ? beginning : await restore(newest);

  async function restore(folder: string): Promise<Course> {
    const state = await readCheckpointState(folder);
    checkOptionsOf(folder, state, { accumulation, seed });
    if ((state.dropBP === null) !== (tuned.dropSchedule === undefined)) {
      throw problem('train', {
        what: `the checkpoint ${folder} was made ${state.dropBP === null ? 'without' : 'with'} DropBP`,
        fix: 'go on as it began',
      });
    }
    const tensors = await readOptimizerTensors(folder);
    const stray = Object.keys(state.optimizer.steps).find(name => !tuned.parameters.has(name));
    const assign = await readParameters(folder, tuned.parameters);
    if (stray !== undefined) {
      throw problem('train', {
        what: `the checkpoint ${folder} does not fit: its optimizer knows a '${stray}', which is not trained`,
        fix: 'files of several checkpoints were mixed up: go on from another',
      });
    }
    tuned.dropSchedule?.restore(state.dropBP);
    optimizer.restore({ values: state.optimizer, tensors });
    // Last, so that a checkpoint that is refused leaves the parameters as they are.
    assign();
    const { step, position, best, evaluationsSinceBest } = state;
    return { step, position, best, evaluationsSinceBest };
  }

  async function fill(folder: string, course: Course): Promise<void> {
    const { values, tensors } = await optimizer.state();
    await writeParameters(folder, tuned.parameters);
    await writeOptimizerTensors(folder, tensors);
    const state: CheckpointState = {
      format: 1,
      ...course,
      options: { accumulation, seed },
      optimizer: values,
      dropBP: tuned.dropSchedule?.state ?? null,
    };
    await writeAtomically('train', `${folder}/${stateFile}`, `${JSON.stringify(state, undefined, 1)}\n`);
  }

  async function prune(best: Course['best']): Promise<void> {
    const all = await listCheckpoints(directory);
    for (const { step, path } of all.slice(0, -keep)) if (step !== best?.step) await removeFolder('train', path);
  }

  return {
    course,
    isDue: isDue({ every }),
    async save(course) {
      const path = nodeModule('train', 'node:path').join(directory, checkpointName(course.step));
      await writeFolderAtomically('train', path, folder => fill(folder, course)).catch((error: unknown) => {
        // The path of a temporary file says nothing to whoever reads of it.
        const cause = error instanceof Problem ? error.cause : error;
        throw errorCode(cause) === undefined ? error : writeProblem('train', path, cause);
      });
      newest = path;
      await prune(course.best);
      return path;
    },
    async takeBack({ step, best }) {
      const all = await listCheckpoints(directory);
      const last = all.at(-1);
      if (last?.step !== step || best?.step === step) return;
      await removeFolder('train', last.path);
      newest = all.at(-2)?.path;
    },
    get newest() {
      return newest;
    },
  };
}

/** Says which steps are to be kept. */
export function isDue({ every }: Pick<CheckpointPlan, 'every'>): CheckpointKeeper['isDue'] {
  return ({ step, best }, isLast) => isLast || step % every === 0 || best?.step === step;
}

function checkOptionsOf(folder: string, { options }: CheckpointState, own: CheckpointState['options']): void {
  for (const key of ['accumulation', 'seed'] as const) {
    if (options[key] === own[key]) continue;
    throw problem('train', {
      what: `the checkpoint ${folder} was made with another ${key}`,
      got: own[key],
      expected: String(options[key]),
      fix: 'go on with that one, or begin a new run in another directory',
    });
  }
}
