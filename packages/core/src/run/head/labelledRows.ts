import { problem } from '@dropbp/basics';
import { IGNORED_LABEL, type ObjectiveBatch } from '../../contract/batch.ts';
import type { LabelledRows } from '../../contract/objective.ts';

/**
 * Finds the positions whose next token has a label that counts.
 *
 * @param virtualTokens - in front of every sequence: the last of them predicts the first token, as in PEFT. @defaultValue 0
 * @throws Problem if the batch is misshapen or no label counts
 */
export async function labelledRows(
  batch: ObjectiveBatch,
  vocabSize: number,
  virtualTokens: number = 0,
): Promise<LabelledRows> {
  const [rows, time] = batch.inputIds.shape as [number, number];
  if (batch.inputIds.rank !== 2 || String(batch.labels?.shape) !== String(batch.inputIds.shape)) {
    throw problem('core', {
      what: 'the batch is misshapen',
      got: { inputIds: batch.inputIds.shape, labels: batch.labels?.shape },
      expected: 'inputIds and labels of one shape [batch, time]',
    });
  }
  const labels = await batch.labels!.data();
  const positions: number[] = [];
  const targets: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let t = virtualTokens > 0 ? -1 : 0; t + 1 < time; t++) {
      const label = labels[row * time + t + 1]!;
      if (label === IGNORED_LABEL) continue;
      if (label < 0 || label >= vocabSize) {
        throw problem('core', {
          what: `the label at [${row}, ${t + 1}] is not a token`,
          got: label,
          expected: `0 to ${vocabSize - 1}, or ${IGNORED_LABEL} for a position that does not count`,
        });
      }
      positions.push(t < 0 ? -1 - row : row * time + t);
      targets.push(label);
    }
  }
  if (positions.length === 0) {
    throw problem('core', {
      what: 'no label of the batch counts',
      expected: `at least one label other than ${IGNORED_LABEL} after the first position`,
      fix: 'leave such batches out',
    });
  }
  return { positions: Int32Array.from(positions), labels: Int32Array.from(targets), batch: rows, time };
}

/** The row of the batch that each labelled position belongs to, in their order. */
export function rowsOfLabels({ positions, time }: Pick<LabelledRows, 'positions' | 'time'>): Int32Array {
  return positions.map(position => (position < 0 ? -1 - position : Math.floor(position / time)));
}
