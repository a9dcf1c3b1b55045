import type * as tf from '@tensorflow/tfjs';
import type { BatchShape, Branch, Scope } from './branch.ts';
import type { Hooks } from './hooks.ts';
import type { Lanes } from './lanes.ts';

/** A leaf of the module tree, under its Hugging Face path. */
export interface ModuleInfo {
  /**
   * `'linear'` stores its weight `[out, in]`, `'conv1d'` (GPT-2) `[in, out]`, `'embedding'` `[entries, width]`. A `'router'` stores as
   * `'linear'` does, with an output for each expert; `all-linear` leaves it out. `'experts'` have parameters alone.
   */
  readonly kind: 'linear' | 'conv1d' | 'embedding' | 'norm' | 'router' | 'experts';
  /** Width of its input; the entries of an embedding. */
  readonly inFeatures: number;
  /** Width of its output. */
  readonly outFeatures: number;
  /** Whether it adds a bias `[outFeatures]`. */
  readonly hasBias: boolean;
  /** The layer that gives the logits: excluded from `all-linear`. */
  readonly isOutput?: boolean;
  /** What `'experts'` are made of; they have neither a weight nor a bias. */
  readonly experts?: ExpertsInfo;
}

/** The experts of a mixture, of which each token takes some. */
export interface ExpertsInfo {
  /** How many there are. */
  readonly count: number;
  /** How many each token takes. */
  readonly perToken: number;
  /** The shape of each parameter by name, experts first: `gate_up_proj` `[experts, out, in]`. In the order of PEFT's wrappers. */
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** How the matrices lie in memory: `[experts, out, in]`, or `[experts, in, out]`. */
  readonly layout: 'outIn' | 'inOut';
}

/** The end of a model, from the residual stream to the logits, in two steps so that a loss can run it in chunks. */
export interface Head {
  /** The projection's module path: `'lm_head'`. */
  readonly path: string;
  /** Name of the projection's weight `[vocab, hidden]`; the embedding's where the two are tied. */
  readonly weight: string;
  /** Final norm. `x` is `[…, hiddenSize]`. */
  readonly normalize: (x: tf.Tensor, p: Scope) => tf.Tensor;
  /**
   * Normalised states to `[…, vocabSize]`: a linear layer, with its hook, and nothing else, as a loss takes the product with the
   * weight apart. {@link projectLogits} adds what else a model does to its logits. Where the scope holds
   * `<path>.weight`, that is the projection's weight, in a tied head too; `<path>.bias` is its bias.
   */
  readonly project: (x: tf.Tensor, p: Scope, hooks: Hooks) => tf.Tensor;
  /** Factor on what `project` gives. @defaultValue 1 */
  readonly logitFactor?: number;
  /** Each logit z, the factor included, becomes `cap · tanh(z / cap)`. @defaultValue no cap */
  readonly logitCap?: number;
}

/** The end of a model that writes no text, such as an encoder: it gives a state for each token. */
export interface FinalNorm {
  /** Final norm, or `x` as it is where the last branch has normalised it. `x` is `[…, hiddenSize]`. */
  readonly normalize: (x: tf.Tensor, p: Scope) => tf.Tensor;
}

/** What {@link Model.shared} needs to know of a pass. */
export interface PassShape extends BatchShape {
  /** Position of the first token; one for each sequence where they differ. @defaultValue 0 */
  readonly offset?: number | readonly number[];
  /** int32 `[batch, time]`, 1 = token, 0 = padding. Shorter than `time`: for the last tokens. */
  readonly attentionMask?: tf.Tensor | undefined;
  /**
   * int32 `[batch, time]`: where each token stands in its text, where rows hold several. Tokens see none of another text.
   * Shorter than `time`: for the last tokens; those in front are seen by all. @defaultValue every row is one text
   */
  readonly positions?: tf.Tensor | undefined;
  /** Where the tokens are of texts that are divided. It stands for offset, mask and positions. @defaultValue they are whole */
  readonly lanes?: Lanes | undefined;
  /**
   * Decoding one token with a cache of this capacity (in tokens): keys at positions above `offset` do not exist yet.
   */
  readonly cacheCapacity?: number;
}

/** Where in a sequence the tokens of a pass are. */
export interface SequencePlace {
  /** Position of the first token; one for each sequence where they differ. */
  readonly offset: number | readonly number[];
  /** Whether the sequence begins here. Virtual tokens may come first, so the offset does not tell. */
  readonly isStart: boolean;
  /** int32 `[batch, time]`: see {@link PassShape.positions}. */
  readonly positions?: tf.Tensor | undefined;
  /** See {@link PassShape.lanes}. */
  readonly lanes?: Lanes | undefined;
  /**
   * int32 `[batch, time]`: which part of a pair each token belongs to, for models with a table of token types. Shorter than
   * the sequence: for the last tokens. @defaultValue all are of type 0
   */
  readonly tokenTypes?: tf.Tensor | undefined;
}

/**
 * A transformer as a chain of residual branches with an embedding in front and a head behind.
 * Parameters keep their Hugging Face names.
 */
export interface Model {
  /** `model_type` of the configuration: `'llama'`, `'gpt2'`, … */
  readonly architecture: string;
  /** The configuration as in `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Where the model came from: a folder or hub id, written into adapters as `base_model_name_or_path`. */
  readonly source: string;
  /** Of a hub id: the branch, tag or commit that was asked for, written into adapters as `revision`. @defaultValue none was */
  readonly revision?: string;
  /** Tokens that end a text besides those of the configuration: what `generation_config.json` names. @defaultValue none */
  readonly endTokens?: readonly number[];
  /** Width of the residual stream. */
  readonly hiddenSize: number;
  /** Tokens that it knows: the width of the logits, where it has some. */
  readonly vocabSize: number;
  /** Tokens that its source knows. @defaultValue `vocabSize`: the vocabulary was not resized */
  readonly sourceVocabSize?: number;
  /** The longest sequence, in tokens, that the positions allow. */
  readonly maxPositions: number;
  /**
   * Whether a token sees only the tokens in front of it. In an encoder it sees those behind it too. @defaultValue true
   */
  readonly isCausal?: boolean;
  /** How many types of tokens `embed` knows, such as the parts of a pair. @defaultValue it reads none */
  readonly tokenTypes?: number;
  /**
   * Whether `embed` and `shared` read positions, so that a row may hold several texts that do not see each other.
   * @defaultValue false
   */
  readonly takesPositions?: boolean;
  /**
   * Positions in texts of more tokens than this are encoded otherwise than in shorter ones (`longrope` and `dynamic` scaling). The
   * passes of such a model take whole texts: keys that one pass keeps may not fit those of the next. @defaultValue never
   */
  readonly positionsChangeBeyond?: number;
  /**
   * Whether a text may be run in parts, which `dropPrompts` and shared prompts need: `embed` and `shared` read lanes, and
   * attention takes `context.front` and the mask of the lanes. Not where the values of a token depend on how long its text is.
   * @defaultValue false
   */
  readonly takesDividedTexts?: boolean;
  /** Every weight by name. The model owns them. */
  readonly parameters: ReadonlyMap<string, tf.Tensor>;
  /** Every leaf module by path. */
  readonly modules: ReadonlyMap<string, ModuleInfo>;
  /** In the order in which they run. */
  readonly branches: readonly Branch[];
  /** Path of the token embedding: `'model.embed_tokens'`. */
  readonly embedding: string;
  /** Whether {@link Model.embed} reads a parameter outside the branches, an adapter's included. */
  isEmbeddingParameter(name: string): boolean;
  /** Whether {@link Model.head} reads a parameter outside the branches, an adapter's included. */
  isHeadParameter(name: string): boolean;
  /**
   * Tokens to the residual stream.
   *
   * @param tokens - int32 `[batch, time]`
   * @param p - parameters outside the branches, by full name
   * @returns `[batch, time, hiddenSize]`; longer where an adapter's hook puts virtual tokens in front
   */
  embed(tokens: tf.Tensor, p: Scope, hooks: Hooks, place: SequencePlace): tf.Tensor;
  /** From the residual stream to the logits; of a model that writes no text, its final norm. `tokenHead` tells. */
  readonly head: Head | FinalNorm;
  /** The tensors that every branch of a pass reads. The caller owns them. */
  shared(pass: PassShape): Scope;
  /**
   * Logits of every position, `[batch, time, vocabSize]`. The caller owns them.
   *
   * @param tokens - int32 `[batch, time]`, a tensor or nested arrays
   * @throws Problem for a model without logits: `forwardStates` gives what an encoder makes of its tokens
   */
  forward(tokens: tf.Tensor | readonly (readonly number[])[], options?: ForwardOptions): tf.Tensor;
  /** The same model with these weights in place of its own of the same names. The new model owns the given tensors. */
  withParameters(replaced: ReadonlyMap<string, tf.Tensor>): Model;
  /** Writes a checkpoint folder that transformers loads: `config.json`, `model.safetensors` and tokenizer files. */
  save(directory: string, options?: SaveOptions): Promise<void>;
  /** The files of its tokenizer and its generation by name, where it came with such: `tokenizer.json`. @defaultValue none */
  companions?(): Promise<ReadonlyMap<string, Uint8Array>>;
  /** Frees the weights. A second call does nothing. */
  dispose(): void;
}

/** Options of {@link Model.forward}. */
export interface ForwardOptions {
  /** int32 `[batch, time]`, 1 = token, 0 = padding. @defaultValue all ones */
  readonly attentionMask?: tf.Tensor | readonly (readonly number[])[];
  /** int32 `[batch, time]`: where each token stands in its text. @defaultValue every row is one text */
  readonly positions?: tf.Tensor | readonly (readonly number[])[];
}

/** Options of {@link Model.save}. */
export interface SaveOptions {
  /** Type of the written weights. @defaultValue that of the checkpoint that each weight came from */
  readonly dtype?: 'F32' | 'F16' | 'BF16';
}
