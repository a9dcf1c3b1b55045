/** What the page chooses before it trains. */
export interface Settings {
  /** Of LoRA. */
  readonly rank: number;
  /** DropBP's: the share of the backward pass that is left out; 0 = nothing is. */
  readonly dropRate: number;
  readonly learningRate: number;
  readonly steps: number;
  /** Sequences of 128 tokens in a step. */
  readonly batch: number;
}

/** Where the page may compute: the engine on a device, or one of TensorFlow.js's own backends. */
export const backends = {
  'ort-wasm': 'engine on WebAssembly',
  'tfjs-wasm': 'TensorFlow.js on WebAssembly',
  'ort-webgpu': 'engine on WebGPU',
  'tfjs-webgpu': 'TensorFlow.js on WebGPU',
  'tfjs-cpu': 'TensorFlow.js in JavaScript',
} as const;

/** One of {@link backends}. */
export type BackendName = keyof typeof backends;

/** Of the model: before the run, or as it is now. */
export type Stage = 'before' | 'now';

/** What the page asks of the worker. */
export type Request =
  /** Sent first. @param backend - `undefined`: the fastest that there is */
  | { readonly kind: 'load'; readonly backend: BackendName | undefined; readonly threads: number | undefined }
  | { readonly kind: 'train'; readonly text: string; readonly settings: Settings }
  /** Holds the run after the step under way. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'goOn' }
  /** Continues `prompt`, as the model did before the run or does now. */
  | { readonly kind: 'sample'; readonly prompt: string; readonly maxNewTokens: number; readonly stage: Stage }
  | { readonly kind: 'adapter' }
  /** How long a training step takes here, without drops and with them. @param steps - behind the first, at least two */
  | { readonly kind: 'measure'; readonly text: string; readonly steps: number };

/** One step of training. */
export interface StepReport {
  readonly step: number;
  readonly loss: number;
  /** On a part of the text that is not trained on, in steps that measured it. */
  readonly heldOutLoss: number | undefined;
  readonly seconds: number;
  readonly tokens: number;
  /** Share of the backward pass that was left out. */
  readonly dropped: number;
}

/** How long steps take on a backend, in seconds. */
export interface Measured {
  /** Of the first step, with all that is compiled for it. */
  readonly first: number;
  /** Of each step after the first. */
  readonly withoutDrops: readonly number[];
  readonly withDrops: readonly number[];
  /** Of the third step, the first in which something was learned: the same on backends that agree. */
  readonly loss: number;
}

/** What the worker tells the page. */
export type Report =
  | { readonly kind: 'loading'; readonly share: number }
  | { readonly kind: 'loaded'; readonly backend: BackendName; readonly threads: number }
  /** The run begins: so many tokens are trained on. */
  | { readonly kind: 'started'; readonly trainTokens: number; readonly trainable: number }
  | ({ readonly kind: 'step' } & StepReport)
  | { readonly kind: 'stopped' }
  | { readonly kind: 'finished' }
  /** The text that the model writes, so far. */
  | { readonly kind: 'sample'; readonly stage: Stage; readonly text: string; readonly isDone: boolean }
  | { readonly kind: 'adapter'; readonly files: ReadonlyMap<string, Uint8Array> }
  | ({ readonly kind: 'measured' } & Measured)
  | { readonly kind: 'failed'; readonly message: string };
