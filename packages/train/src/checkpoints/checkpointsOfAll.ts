import { fromRoot } from '../comm/fromRoot.ts';
import type { TrainPlan } from '../options/trainOptions.ts';
import { isDue, openCheckpoints, type CheckpointKeeper, type Trained } from './checkpointKeeper.ts';
import type { CheckpointPlan } from './checkpointOptions.ts';

/**
 * {@link openCheckpoints} on rank 0, whose checkpoints they are. Every rank hears where the run stands, and waits for each
 * checkpoint to be written; a checkpoint knows nothing of ranks.
 */
export async function openCheckpointsOfAll(
  trained: Trained,
  plan: TrainPlan,
  checkpoints: CheckpointPlan,
): Promise<CheckpointKeeper> {
  const { comm } = plan;
  if (comm.size === 1) return openCheckpoints(trained, plan, checkpoints);
  let keeper: CheckpointKeeper | undefined;
  const { course, ...opened } = await fromRoot(comm, async () => {
    keeper = await openCheckpoints(trained, plan, checkpoints);
    return { course: keeper.course, newest: keeper.newest ?? null };
  });
  let newest = opened.newest ?? undefined;
  return {
    course,
    isDue: isDue(checkpoints),
    async save(course) {
      newest = await fromRoot(comm, () => keeper!.save(course));
      return newest;
    },
    // All ranks call it together: a step that is not finite is so on each of them.
    async takeBack(course) {
      const left = await fromRoot(comm, async () => {
        await keeper!.takeBack(course);
        return keeper!.newest ?? null;
      });
      newest = left ?? undefined;
    },
    get newest() {
      return newest;
    },
  };
}
