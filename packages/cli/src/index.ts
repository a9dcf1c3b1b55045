export { comparisonTable } from './report/comparisonTable.ts';
export { readRun } from './report/readRun.ts';
export { renderReport } from './report/renderReport.ts';
export type { BranchRecord, DropsRecord, HeldOutRecord, RunRecord, StepRecord } from './record/runRecord.ts';
export {
  progressBar,
  type Progress,
  type ProgressBar,
  type ProgressBarOptions,
} from './terminal/progress/progressBar.ts';
export { table, type TableOptions } from './terminal/table.ts';
export { terminal, type Terminal, type TerminalStream } from './terminal/terminal.ts';
