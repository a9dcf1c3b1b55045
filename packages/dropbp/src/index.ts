export { allocateRates, type AllocateRatesOptions, type AllocationMethod } from './allocateRates.ts';
export { drawDropped, type DrawDroppedOptions, type SamplingMethod } from './drawDropped.ts';
export { dropBP, type DropBP, type DropBPOptions, type DropBPSettings } from './dropBP.ts';
export type { DropSchedule, DropScheduleState } from './dropSchedule.ts';
export { sensitivityFromNorms, type SensitivityNorms } from './sensitivityFromNorms.ts';
export { stepCost, type StepCostOptions } from './stepCost.ts';
