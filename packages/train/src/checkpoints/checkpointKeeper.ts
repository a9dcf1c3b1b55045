import {
  errorCode,
  makeFolder,
  nodeModule,
  problem,
  Problem,
  removeLeftovers,
  writeFolderAtomically,
  writeProblem,
} from '@dropbp/basics';
import type { DropRun, Tuned } from '@dropbp/compose';
import type { TrainPlan } from '../options/trainOptions.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import { checkpointName, isCheckpointName, listCheckpoints } from './checkpointFolders.ts';
import type { CheckpointPlan } from './checkpointOptions.ts';
import { readCheckpointState, writeCheckpointState, type CheckpointState } from './checkpointState.ts';
import {
  optimizerFile,
  parametersFile,
  readOptimizerTensors,
  readParameters,
  writeOptimizerTensors,
  writeParameters,
} from './checkpointTensors.ts';
import { beginning, newData, type Course } from './course.ts';
import { findState } from './findCheckpoint.ts';
import { foreignEntry, removeCheckpoint, setAside } from './removeCheckpoint.ts';
import { changesOf, checkChanges, identityOf, type IdentifyingPlan, type RunIdentity } from './runIdentity.ts';

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

/** What a run changes and its checkpoints keep, beside the optimizer. */
export interface Trained {
  readonly parameters: Tuned['parameters'];
  readonly drops: DropRun;
}

/** What of a run's plan its checkpoints know. */
export type KeptPlan = IdentifyingPlan & Pick<TrainPlan, 'steps'>;

/**
 * Opens the directory of a run's checkpoints, and where the run is to go on, puts everything back as it was.
 *
 * @throws Problem if there are checkpoints that were not asked for, or the one to go on from is damaged or of another run
 */
export async function openCheckpoints(
  { parameters, drops }: Trained,
  plan: KeptPlan,
  { directory, every, keep, resume, fromStep, identity, acceptChanges, guard }: CheckpointPlan,
): Promise<CheckpointKeeper> {
  const { optimizer, steps } = plan;
  const ownIdentity = (of: number): RunIdentity => ({ ...identityOf(plan, of), ...identity });
  const kept = ownIdentity(steps);
  await makeFolder('train', directory);
  const last = (await listCheckpoints(directory)).at(-1);
  await guard();
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
  const takesOld = acceptChanges.includes('checksums');
  const found = resume ? await findState(directory, { fromStep, takesOld, isThorough: true }) : undefined;
  let newest = found?.path;
  const course = found === undefined ? beginning : await restore(found.path, found.state);
  await setAside(directory, course.step);

  async function restore(folder: string, state: CheckpointState): Promise<Course> {
    const own = ownIdentity(state.plannedSteps);
    const tensors = await readOptimizerTensors(folder);
    const stray = Object.keys(state.optimizer.steps).find(name => !parameters.has(name));
    const assign = await readParameters(folder, parameters);
    if (stray !== undefined) {
      throw problem('train', {
        what: `the checkpoint ${folder} does not fit: its optimizer knows a '${stray}', which is not trained`,
        fix: 'files of several checkpoints were mixed up: go on from another',
      });
    }
    await checkOptimizer(optimizer, state);
    drops.restore(state.dropBP);
    checkChanges(folder, changesOf(state.identity, own), acceptChanges);
    optimizer.restore({ values: state.optimizer, tensors });
    // Last, so that a checkpoint that is refused leaves the parameters as they are.
    assign();
    const { step, position, best, evaluationsSinceBest } = state;
    return { step, position: acceptChanges.includes('data') ? newData : position, best, evaluationsSinceBest };
  }

  async function fill(folder: string, course: Course): Promise<void> {
    const { values, tensors } = await optimizer.state();
    const files = {
      [parametersFile]: await writeParameters(folder, parameters),
      [optimizerFile]: await writeOptimizerTensors(folder, tensors),
    };
    // Last: it has the checksums of the others.
    await writeCheckpointState(folder, {
      format: 2,
      ...course,
      ...{ identity: kept, plannedSteps: steps, optimizer: values, dropBP: drops.state, files },
    });
    await guard();
  }

  async function prune(best: Course['best']): Promise<void> {
    const all = await listCheckpoints(directory);
    for (const { step, path } of all.slice(0, -keep)) {
      // One in which someone has put something else is left as it is.
      if (step !== best?.step && (await foreignEntry(path)) === undefined) await removeCheckpoint(path);
    }
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
      const last = (await listCheckpoints(directory)).at(-1);
      if (last?.step !== step) return;
      await guard();
      // That of the best held-out loss is kept, but no run goes on from it.
      if (best?.step === step) {
        const state = await readCheckpointState(last.path, false);
        await writeCheckpointState(last.path, { ...state, isSpoiled: true });
      } else await removeCheckpoint(last.path);
      newest = (await findState(directory, { takesOld }).catch(() => undefined))?.path;
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

async function checkOptimizer(optimizer: Optimizer, { optimizer: stored }: CheckpointState): Promise<void> {
  const own = (await optimizer.state()).values.optimizer;
  if (own === stored.optimizer) return;
  throw problem('train', { what: 'the state is of another optimizer', got: stored.optimizer, expected: own });
}
