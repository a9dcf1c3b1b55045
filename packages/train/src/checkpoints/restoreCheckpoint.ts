import type { Tuned } from '@dropbp/compose';
import { readParameters } from './checkpointTensors.ts';

/**
 * Gives what is trained the values that it had at a checkpoint, such as that of the best held-out loss.
 *
 * @param folder - of the checkpoint: `path` of what {@link listCheckpoints} gives, or of a step's `checkpoint`
 * @throws Problem if it is no checkpoint of such an adapter on such a model; nothing has changed then
 *
 * @example
 * ```ts
 * await restoreCheckpoint(tuned, 'out/checkpoints/step-000100');
 * await tuned.save('out/adapter');
 * ```
 */
export function restoreCheckpoint(tuned: Pick<Tuned, 'parameters'>, folder: string): Promise<void> {
  return readParameters(folder, tuned.parameters);
}
