import type { Tuned } from '@dropbp/compose';
import type { DropsRecord } from '../record/runRecord.ts';

/** How a run drops, for its record; undefined without DropBP. */
export function dropsOf({ internal: { dropSchedule } }: Tuned): DropsRecord | undefined {
  if (dropSchedule === undefined) return undefined;
  const { allocation, sampling, memory, dropPrompts } = dropSchedule.options;
  return {
    ...{ allocation, sampling },
    ...(memory !== undefined && { memory }),
    ...(dropPrompts !== undefined && { prompts: dropPrompts === true ? 'on' : dropPrompts }),
  };
}
