import type { RowFormatName } from '@dropbp/data';
import type { Change } from '@dropbp/train';

/** What was changed on purpose when a run went on. */
export interface RunChange extends Change {
  /** The steps that were done before it. */
  readonly afterStep: number;
}

/** One optimiser step of a run. */
export interface StepRecord {
  /** Counted from 1. */
  readonly step: number;
  /** Mean loss per token of the step's batches, in nats. */
  readonly loss: number;
  /** Learning rate of the update. */
  readonly learningRate: number;
  /** Norm of the gradients before clipping; null where the step had none. */
  readonly gradientNorm: number | null;
  /** Share of the branches' backward FLOPs that was dropped, in [0, 1]. */
  readonly dropped: number;
  /** Tokens that went through the model, padding included. */
  readonly tokens: number;
  /** Time of the step in seconds. */
  readonly seconds: number;
  /** How much of that went into measuring for DropBP, in steps that measured. */
  readonly calibrationSeconds?: number;
  /** What was found out about dropped prompts, in steps that decided on them. */
  readonly promptDecision?: PromptDecisionRecord;
  /** What the process holds in memory after the step. */
  readonly memoryBytes: number;
}

/** Whether prompts are dropped from a step on, and why. */
export interface PromptDecisionRecord {
  /** ρ, the cosine of the whole gradient and the one without prompts. */
  readonly similarity: number;
  /** Share of a whole step's FLOPs that dropped prompts save. */
  readonly saved: number;
  /** Whether ρ² is above 1 − saved. */
  readonly dropsPrompts: boolean;
  /** False where the model cannot divide texts, so that nothing was measured; absent elsewhere. */
  readonly isPossible?: false;
  /** True where the run measures again after a tenth and keeps its prompts until then; absent elsewhere. */
  readonly isPreliminary?: true;
}

/** Held-out loss after so many steps. */
export interface HeldOutRecord {
  /** After how many steps. */
  readonly step: number;
  /** Mean loss in nats per token. */
  readonly loss: number;
}

/** Text that the model wrote after so many steps. */
export interface SampleRecord {
  readonly step: number;
  /** What follows the prompt. */
  readonly text: string;
}

/** A branch at the end of a run. */
export interface BranchRecord {
  /** Module path of the branch: `'model.layers.3.mlp'`. */
  readonly path: string;
  /** Which half of a layer it is. */
  readonly kind: 'attention' | 'mlp';
  /** Share of steps in which its backward pass is dropped, 0 to 1. */
  readonly dropRate: number;
  /** Absent where it was not measured. */
  readonly sensitivity?: number;
  /** False where DropBP has no backward pass to drop, as the branch leads to nothing that is trained; absent elsewhere. */
  readonly leads?: false;
}

/** How DropBP dropped: by the flags, or as it decided where they leave it open. */
export interface DropsRecord {
  /** How rates were allocated: `'depth'`. */
  readonly allocation: string;
  /** How the branches of a step were drawn: `'nested'`. */
  readonly sampling: string;
  /** The bytes that a step was to take at most, where that was the budget. */
  readonly memory?: number;
  /** Whether prompts were dropped: always, or where it pays. Absent where they were kept. */
  readonly prompts?: 'on' | 'auto';
}

/** How much a run drops and why, and what that costs and saves. */
export interface DropCosts {
  /** Share of the backward pass. */
  readonly dropped: number;
  /** Why so much: `'as --rate says'`. */
  readonly why: string;
  /** Share of a step's cost that it saves, as planned. */
  readonly saved: number;
  /** The same at a rate of 0.5. */
  readonly savedAtHalf: number;
  /** Whether most of the model's weights are trained. */
  readonly trainsMost: boolean;
}

/** How long a run was to be, and why. */
export interface LengthRecord {
  /** How often it goes through the data. */
  readonly epochs: number;
  /** Why so often: `'3 epochs, the default for this much data'`. */
  readonly why: string;
}

/** What `run.json` holds: everything that a report shows of a run. */
export interface RunRecord {
  /** Version of the file's format. */
  readonly format: 2;
  /** How the run is called in tables and charts. */
  readonly name: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** The command's flags, with the defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What was changed on purpose when the run went on: `options` has the newest values. Absent where nothing was. */
  readonly changes?: readonly RunChange[];
  /** The model that was fine-tuned. */
  readonly model: {
    /** A folder, a file or a hub id. */
    readonly source: string;
    /** `model_type` of its configuration. */
    readonly architecture: string;
    /** Numbers in its weights. */
    readonly parameters: number;
    /** Numbers that were trained. */
    readonly trainable: number;
  };
  /** What was learned from. */
  readonly data: {
    /** The files. */
    readonly source: string;
    /** What was found, and why. */
    readonly explanation: string;
    /** What a row is; absent in runs of before it was kept. */
    readonly format?: RowFormatName;
    /** Rows to learn from; null for a stream. */
    readonly rows: number | null;
    /** Rows to measure with; null for a stream, absent in runs of before it was kept. */
    readonly heldOutRows?: number | null;
    /** Tokens to learn from. */
    readonly trainTokens: number;
    /** Tokens to measure with. */
    readonly heldOutTokens: number;
  };
  /** Every step, from the first. */
  readonly steps: readonly StepRecord[];
  /** Held-out loss: before, as training went, after. Empty where no text was held out. */
  readonly heldOut: readonly HeldOutRecord[];
  /** Absent without DropBP, and in runs of before it was kept. */
  readonly drops?: DropsRecord;
  /** Absent in runs of before it was kept. */
  readonly costs?: DropCosts;
  /** Absent in runs of before it was kept. */
  readonly length?: LengthRecord;
  /** The model's branches, in the order in which they run. */
  readonly branches: readonly BranchRecord[];
  /** Wall time of the training steps, in seconds: neither loading nor evaluation. */
  readonly trainSeconds: number;
  /** The largest resident size of the process until the end of training; of a run that was stopped, of all its lives. */
  readonly peakMemoryBytes: number;
  /** Text before, as training went, and after; null where none was asked for. */
  readonly samples: { readonly prompt: string; readonly texts: readonly SampleRecord[] } | null;
  /** Why it ended, and the step whose state was kept: that of the best held-out loss, or the last. */
  readonly ended: { readonly why: 'steps' | 'patience' | 'stop'; readonly keptStep: number } | null;
  /** The tfjs backend that computed. */
  readonly backend: string;
  /** Versions of Node, tfjs and our packages, by name. */
  readonly versions: Readonly<Record<string, string>>;
}
