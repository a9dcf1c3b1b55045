import { checkValue } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import * as tf from '@tensorflow/tfjs';
import { checkFolderPath } from './checkFolderPath.ts';
import { readCheckpointState } from './checkpointState.ts';
import { parametersFile, readParameters } from './checkpointTensors.ts';
import { checkFile } from './findCheckpoint.ts';

/**
 * Gives what is trained the values that it had at a checkpoint, such as that of the best held-out loss.
 *
 * @param folder - of the checkpoint: `path` of what {@link listCheckpoints} gives and `onCheckpoint` hears of
 * @throws Problem if it is damaged, or no checkpoint of such an adapter on such a model; nothing has changed then
 *
 * @example
 * ```ts
 * await restoreCheckpoint(tuned, 'out/checkpoints/step-000100');
 * await tuned.save('out/adapter');
 * ```
 */
export async function restoreCheckpoint(tuned: Pick<Tuned, 'parameters'>, folder: string): Promise<void> {
  checkValue<unknown>('train', 'restoreCheckpoint(): what is trained', tuned, hasVariables, 'what compose() gives');
  checkFolderPath('restoreCheckpoint(): folder', folder, 'give the path of what listCheckpoints() gives');
  const state = await readCheckpointState(folder, true);
  await checkFile(folder, state, parametersFile, true);
  const assign = await readParameters(folder, tuned.parameters);
  assign();
}

function hasVariables(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || !('parameters' in given)) return false;
  return given.parameters instanceof Map && [...given.parameters.values()].every(value => value instanceof tf.Variable);
}
