import golden from '../fixtures/golden.json' with { type: 'json' };

/** 0 = kept, 1 = dropped, for each branch. */
export type DropPattern = readonly number[];

/** Values by parameter; null where it received no gradient. */
export type ByParameter<T> = Readonly<Record<string, T | null>>;

/** What the toy model of the fixture gives for one pattern of dropped branches. */
export interface GoldenPattern {
  readonly drop: DropPattern;
  readonly loss: number;
  readonly gradNorms: ByParameter<number>;
  /** Row-major; LoRA alone. */
  readonly grads?: ByParameter<readonly number[]>;
}

/** Sensitivities of the branches, the authors' default and their option. */
export interface GoldenSensitivity {
  readonly gradnorm: readonly number[];
  readonly graddiff: readonly number[];
  readonly rates: readonly { readonly p: number; readonly minRate: number; readonly rates: readonly number[] }[];
}

/** Four AdamW steps with dropped branches. */
export interface GoldenAdamW {
  readonly losses: readonly number[];
  readonly params: Readonly<Record<string, readonly number[]>>;
  readonly adamStepCounts: Readonly<Record<string, number>>;
}

/** `fixtures/golden.json`; see the README beside it. */
export interface Golden {
  readonly model: {
    readonly vocab: number;
    readonly dim: number;
    readonly heads: number;
    readonly ff: number;
    readonly blocks: number;
    readonly loraRank: number;
    readonly loraAlpha: number;
    readonly normEps: number;
    readonly flops: readonly number[];
    readonly branchOrder: readonly string[];
  };
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly weights: Readonly<Record<string, readonly number[]>>;
  readonly tokens: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[];
  readonly lora: {
    readonly patterns: readonly GoldenPattern[];
    readonly sensitivity: GoldenSensitivity;
    readonly noGradProbes: readonly { readonly drop: DropPattern; readonly lossRequiresGrad: boolean }[];
  };
  readonly full: { readonly patterns: readonly GoldenPattern[]; readonly sensitivity: GoldenSensitivity };
  readonly adamw: {
    readonly lr: number;
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly weightDecay: number;
    readonly drops: readonly DropPattern[];
    readonly setToNone: GoldenAdamW;
    readonly zeros: GoldenAdamW;
  };
  readonly accumulateAndClip: {
    readonly drops: readonly DropPattern[];
    readonly lossScale: number;
    readonly maxNorm: number;
    readonly totalNormBefore: number;
    readonly gradsAfterClip: ByParameter<readonly number[]>;
  };
}

/** The recorded values, under the fixture's own names of parameters: see {@link goldenName}. */
export const goldenValues: Golden = golden as unknown as Golden;

/**
 * The name that a parameter of the toy model has in the fixture: `'blocks.0.attn.q.lora_A.weight'` is
 * `'blocks.0.attn.q.A'`, `'norm.weight'` is `'norm.w'`.
 */
export function goldenName(parameter: string): string {
  if (parameter === 'embed.weight') return 'embed';
  return parameter.replace(/\.lora_([AB])\.weight$/, '.$1').replace(/\.weight$/, '.w');
}
