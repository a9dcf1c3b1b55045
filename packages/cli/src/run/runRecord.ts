/** One optimiser step of a run. */
export interface StepRecord {
  /** Counted from 1. */
  readonly step: number;
  /** Mean loss per token of the step's batches, in nats. */
  readonly loss: number;
  readonly learningRate: number;
  /** Norm of the gradients before clipping; null where the step had none. */
  readonly gradientNorm: number | null;
  /** Share of the branches' backward FLOPs that was dropped, in [0, 1]. */
  readonly dropped: number;
  /** Tokens that passed through the model. */
  readonly tokens: number;
  readonly seconds: number;
}

/** Held-out loss after so many steps. */
export interface HeldOutRecord {
  readonly step: number;
  readonly loss: number;
}

/** A branch at the end of a run. */
export interface BranchRecord {
  readonly path: string;
  readonly kind: 'attention' | 'mlp';
  readonly dropRate: number;
  /** Absent where it was not measured. */
  readonly sensitivity?: number;
}

/** What `run.json` holds: everything that a report shows of a run. */
export interface RunRecord {
  readonly format: 1;
  /** How the run is called in tables and charts. */
  readonly name: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** The command's flags, with the defaults filled in. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly model: {
    readonly source: string;
    readonly architecture: string;
    readonly parameters: number;
    readonly trainable: number;
  };
  readonly data: { readonly source: string; readonly trainTokens: number; readonly heldOutTokens: number };
  readonly steps: readonly StepRecord[];
  /** Held-out loss: before, as training went, after. Empty where no text was held out. */
  readonly heldOut: readonly HeldOutRecord[];
  readonly branches: readonly BranchRecord[];
  /** Wall time of the training steps, in seconds: neither loading nor evaluation. */
  readonly trainSeconds: number;
  /** The largest resident size of the process until the end of training. */
  readonly peakMemoryBytes: number;
  readonly sample: { readonly prompt: string; readonly before: string; readonly after: string } | null;
  readonly backend: string;
  readonly versions: Readonly<Record<string, string>>;
}
