import type { HeldOutRecord, SampleRecord, StepRecord } from './runRecord.ts';

/** Something that happens in a run: a line of `log.jsonl`. */
export type RunEvent =
  | ({ readonly type: 'step' } & StepRecord)
  | ({ readonly type: 'heldOut' } & HeldOutRecord)
  | ({ readonly type: 'sample' } & SampleRecord);
