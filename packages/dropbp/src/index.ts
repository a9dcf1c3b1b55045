export { allocateRates, type AllocateRatesOptions, type AllocationMethod } from './rates/allocateRates.ts';
export { leastDropped } from './rates/depthRates.ts';
export { drawDropped, type DrawDroppedOptions, type SamplingMethod } from './draws/drawDropped.ts';
export { dropBP, type DropBP } from './policy/dropBP.ts';
export type {
  AllocationName,
  AllocationOptions,
  CalibrationOptions,
  DropBPOptions,
  DropBPSettings,
  DropPrompts,
  FormerDropBPOptions,
} from './policy/dropBPOptions.ts';
export type { Budget } from './policy/budget.ts';
export type { Calibration, CalibrationSettings } from './policy/calibration.ts';
export type { DropBranch } from './policy/branchRates.ts';
export type { DrawTerms, DropSchedule } from './policy/dropSchedule.ts';
export type { RateSchedule } from './policy/rateSchedule.ts';
export type { Rescale } from './policy/rescale.ts';
export type { DropScheduleState } from './policy/scheduleState.ts';
export { sensitivityFromNorms, type SensitivityNorms } from './rates/sensitivityFromNorms.ts';
export { stepCost, type StepCostOptions } from './rates/stepCost.ts';
