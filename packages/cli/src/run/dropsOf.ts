import type { PreparedRun } from './preparedRun.ts';
import type { DropsRecord } from './runRecord.ts';

/** How a run drops, for its record; undefined without DropBP. */
export function dropsOf({ dropSchedule }: PreparedRun['tuned']): DropsRecord | undefined {
  if (dropSchedule === undefined) return undefined;
  const { allocation, sampling, memory } = dropSchedule.options;
  return { allocation, sampling, ...(memory !== undefined && { memory }) };
}
