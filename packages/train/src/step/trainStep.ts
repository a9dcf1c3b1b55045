import type { PromptDecision } from '@dropbp/compose';

/** What a step of {@link train} reports. */
export interface TrainStep {
  /** Counts from 1. */
  readonly step: number;
  /** Mean over the tokens of the step, or over what the objective counts, before its update. */
  readonly loss: number;
  /** What the objective tells, by name: means as the loss is one. Absent where it tells nothing. */
  readonly metrics?: Readonly<Record<string, number>>;
  /** Learning rate of the update. */
  readonly learningRate: number;
  /** Labels that counted; rows, pairs or groups where the objective labels no positions of texts. */
  readonly tokens: number;
  /** Tokens that went through the model, those too that do not count and those that fill rows up: what the time goes into. */
  readonly passedTokens: number;
  /** Time for batches, passes and update; evaluation and the consumer's own work not counted. */
  readonly seconds: number;
  /** Of all gradients together, before clipping. 0 where there were none. */
  readonly gradientNorm: number;
  /** Share of the FLOPs of the branches that lead to something trainable whose backward was dropped. */
  readonly dropped: number;
  /** For each micro-batch, what was dropped: true = that branch ran forward only. */
  readonly droppedBranches: readonly (readonly boolean[])[];
  /** False where all that is trained was dropped in every micro-batch: nothing has changed then. */
  readonly updated: boolean;
  /** DropBP's rate for each branch after the step. */
  readonly rates?: readonly number[];
  /** What was decided about dropped prompts, in steps that decided it: with `dropPrompts: 'auto'`. */
  readonly promptDecision?: PromptDecision;
  /** How much of the step's time went into measuring for DropBP: sensitivities, and gradients without prompts. */
  readonly calibrationSeconds?: number;
  /** Mean loss of the evaluation that followed this step. */
  readonly heldOutLoss?: number;
  /** What the objective tells of that evaluation. */
  readonly heldOutMetrics?: Readonly<Record<string, number>>;
  /** With an evaluation: whether that loss is the lowest of the run so far. */
  readonly isBest?: boolean;
  /** In the last step: why it is. Absent too where {@link TrainOptions.stop} comes only when the step was given out. */
  readonly ended?: 'steps' | 'patience' | 'stop';
}
