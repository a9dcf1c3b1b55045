import type { PromptDecision } from '@dropbp/compose';
import type { DropBPOptions } from '@dropbp/dropbp';
import type { WeightsForm } from '@dropbp/models';
import type { Where, Written } from '../report/readResults.ts';

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

/** What a run learns. */
export type TaskName = 'text' | 'bible' | 'half' | 'records' | 'backwards' | 'chats';

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
  /** @defaultValue a running text */
  readonly task?: TaskName;
  /** The form of frozen weights. @defaultValue float32 */
  readonly weights?: WeightsForm;
  /** Without `seed`. @defaultValue no DropBP */
  readonly dropBP?: Omit<DropBPOptions, 'seed'>;
  /** Every how many steps prompts keep their backward pass. @defaultValue in none, where `dropBP` drops them */
  readonly wholeEvery?: number;
  /** Times that the held-out loss is measured, after the first. */
  readonly evaluations: number;
  /** Held-out sequences of `time` tokens. */
  readonly heldOutRows: number;
}

/** What a run gave. */
export interface RunResult {
  readonly plan: RunPlan;
  /** Held-out loss before the first step and after others. */
  readonly heldOut: readonly { readonly step: number; readonly loss: number }[];
  /** Share of the branches' backward FLOPs that was dropped, on average. */
  readonly dropped: number;
  /** FLOPs of a step, on average, without those of measurements. */
  readonly stepFlops?: number;
  /** The step at which sensitivities were measured, if any. */
  readonly calibrationStep?: number;
  /** How long that took, in steps. */
  readonly calibrationSteps: number;
  readonly rates: readonly number[];
  readonly sensitivities: readonly number[];
  readonly skippedSteps: number;
  /** Share of held-out questions that were answered right, before and after: of tasks that ask some. */
  readonly rightAnswers?: readonly [before: number, after: number];
  /** What was found out about dropped prompts, where that was asked for. */
  readonly promptDecisions?: readonly PromptDecision[];
  readonly peakMB: number;
  /** Numbers that were trained. */
  readonly trainable: number;
  /** Mean time of a step, without the first ones and without measuring: only where nothing else runs does it mean something. */
  readonly stepMs?: number | undefined;
}

/** What a file of results holds, by case for the times and by {@link keyOf} for the runs. */
export interface Results {
  /** The command that makes all of it, and where the last run was made. */
  readonly head: Written;
  readonly runs: Record<string, RunResult>;
  /** Where all of the step times were measured; undefined before they were. */
  readonly timed?: Where;
  readonly stepTimes: Record<
    string,
    { readonly ms: number; readonly calibrationSteps: number; readonly peakMB: number }
  >;
  /** Final held-out losses of runs that were made once more, to see whether later code comes to the same. */
  readonly repeats: Record<string, Where & { readonly loss: number }>;
}

/** What tells runs apart in the results. */
export function keyOf(plan: RunPlan): string {
  const { name, learningRate, seed } = plan;
  return `${name} | lr ${learningRate} | seed ${seed}`;
}
