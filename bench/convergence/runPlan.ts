import type { DropBPOptions } from '@dropbp/dropbp';

/** What a run trains. */
export type MethodName =
  | 'lora'
  | 'dora'
  | 'ia3'
  | 'prefix tuning'
  | 'prefix tuning, projected'
  | 'prompt tuning'
  | 'p-tuning, MLP'
  | 'p-tuning, LSTM'
  | 'LLaMA-Adapter'
  | 'norms'
  | 'full';

/** One training run: JSON-safe, and all that decides what it gives. */
export interface RunPlan {
  /** What it is a case of: runs of one case differ in seed and learning rate alone. */
  readonly name: string;
  /** Folder of the model, from the root of the repository. */
  readonly model: string;
  /** UTF-8 text, also as .gz, from the root of the repository. */
  readonly data: string;
  readonly method: MethodName;
  /** LoRA: layers that are adapted, counted from 0. @defaultValue all */
  readonly layers?: readonly number[];
  readonly rank: number;
  readonly steps: number;
  readonly batch: number;
  readonly time: number;
  readonly accumulation: number;
  readonly learningRate: number;
  readonly seed: number;
  /** Without `seed`. @defaultValue no DropBP */
  readonly dropBP?: Omit<DropBPOptions, 'seed'>;
  /** Times that the held-out loss is measured, after the first. */
  readonly evaluations: number;
  /** Held-out sequences of `time` tokens. */
  readonly heldOutRows: number;
}

/** What a run gave. */
export interface RunResult {
  readonly plan: RunPlan;
  /** Of each step: seconds, measuring of sensitivities included; and the share of FLOPs that was dropped. */
  readonly seconds: readonly number[];
  readonly dropped: readonly number[];
  /** Held-out loss, with the seconds of training up to then: evaluation itself not counted. */
  readonly heldOut: readonly { readonly step: number; readonly seconds: number; readonly loss: number }[];
  readonly calibrationSeconds: number;
  readonly rates: readonly number[];
  readonly sensitivities: readonly number[];
  readonly skippedSteps: number;
  readonly peakMB: number;
  /** Numbers that were trained. */
  readonly trainable?: number;
}

/** What tells runs apart in the results. */
export function keyOf(plan: RunPlan): string {
  const { name, learningRate, seed } = plan;
  return `${name} | lr ${learningRate} | seed ${seed}`;
}
