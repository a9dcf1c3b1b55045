import type { ExpertsInfo, ModuleInfo } from '@dropbp/core';

/** The kinds of module that architectures list, with their sizes. */
export const moduleInfo: {
  /** A linear layer, its weight `[outFeatures, inFeatures]`. */
  readonly linear: (inFeatures: number, outFeatures: number, hasBias: boolean) => ModuleInfo;
  /** A linear layer with a bias, its weight `[inFeatures, outFeatures]`. */
  readonly conv1d: (inFeatures: number, outFeatures: number) => ModuleInfo;
  /** A table of rows. */
  readonly table: (entries: number, width: number) => ModuleInfo;
  /** A norm over the last `width` values. */
  readonly norm: (width: number, hasBias: boolean) => ModuleInfo;
  /** What chooses among experts, its weight `[experts, width]`. */
  readonly router: (width: number, experts: number, hasBias: boolean) => ModuleInfo;
  /** Experts of one mixture, their parameters in one. */
  readonly experts: (width: number, experts: ExpertsInfo) => ModuleInfo;
} = {
  linear: (inFeatures, outFeatures, hasBias) => ({ kind: 'linear', inFeatures, outFeatures, hasBias }),
  conv1d: (inFeatures, outFeatures) => ({ kind: 'conv1d', inFeatures, outFeatures, hasBias: true }),
  table: (entries, width) => ({ kind: 'embedding', inFeatures: entries, outFeatures: width, hasBias: false }),
  norm: (width, hasBias) => ({ kind: 'norm', inFeatures: width, outFeatures: width, hasBias }),
  router: (width, experts, hasBias) => ({ kind: 'router', inFeatures: width, outFeatures: experts, hasBias }),
  experts: (width, experts) => ({ kind: 'experts', inFeatures: width, outFeatures: width, hasBias: false, experts }),
};
