// The command is all that this package offers: `dropbp`. These types say what it writes to `run.json`.
export type { BranchRecord, DropsRecord, HeldOutRecord, RunRecord, StepRecord } from './record/runRecord.ts';
