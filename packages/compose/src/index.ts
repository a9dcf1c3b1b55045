export { compose } from './compose.ts';
export type { ComposeOptions, LossFunction } from './composeOptions.ts';
export { loadAdapter, type AdapterFiles, type LoadAdapterOptions } from './loadAdapter.ts';
export type { Loss, StepOptions, Tuned, ValueAndGradients } from './tuned.ts';
