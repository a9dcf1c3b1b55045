import { IGNORED_LABEL, type ObjectiveBatch } from '../../contract/batch.ts';
import type { Objective } from '../../contract/objective.ts';
import type { Runnable } from '../runnable.ts';

/** Numbers of the rows of a batch that count for an objective, in order; none where no label counts. */
export async function countingRows(
  batch: ObjectiveBatch,
  objective: Objective,
  { virtualTokens = 0 }: Pick<Runnable, 'virtualTokens'>,
): Promise<readonly number[]> {
  if (objective.countingRows !== undefined) return objective.countingRows(batch);
  const [count, time] = batch.inputIds.shape as [number, number];
  const rows = Array.from({ length: count }, (_, row) => row);
  if (objective.labelledRows === undefined) return rows;
  const values = await batch.labels!.data();
  const first = virtualTokens > 0 ? 0 : 1;
  return rows.filter(row => values.slice(row * time + first, (row + 1) * time).some(label => label !== IGNORED_LABEL));
}
