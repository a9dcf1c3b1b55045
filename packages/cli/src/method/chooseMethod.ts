import { problem } from '@dropbp/basics';
import { findTokenHead, type Adapter, type Model } from '@dropbp/core';
import type { Tokenizer } from '@dropbp/data';
import { fullFineTune, type Part } from '@dropbp/peft-full';
import { ia3 } from '@dropbp/peft-ia3';
import { lora, loraPlus, type Initialization, type TokenIndices } from '@dropbp/peft-lora';
import { llamaAdapter, prefixTuning, promptTuning, pTuning, type PromptTuningOptions } from '@dropbp/peft-prefix';
import type { AdamWOptions } from '@dropbp/train';
import { flagName } from '../flags/flagName.ts';
import { budgetText, dropsNothing } from '../drops/chooseDropBP.ts';
import { methodsOfFlag, type MethodFlag, type MethodFlagValues, type MethodName } from '../flags/tables/methodFlags.ts';
import type { TrainFlagValues } from '../flags/tables/trainFlags.ts';

/** What an adapter is made for. */
export interface AdapterBase {
  readonly model: Pick<Model, 'branches' | 'embedding' | 'head'>;
  /** Ids of new tokens, whose rows are trained. @defaultValue none */
  readonly newTokens?: readonly number[];
  /** Reads the text that a prompt starts from; absent where there is none. */
  readonly tokenizer?: Tokenizer;
}

type Flags = MethodFlagValues & { readonly seed: number };

interface Method {
  /** How tables and charts call it. */
  readonly title: string;
  readonly learningRate: number;
  readonly make: (flags: Flags, base: AdapterBase) => Adapter;
}

/** Learning rates that a first run does well with, at the default number of steps. */
const methods: Readonly<Record<MethodName, Method>> = {
  lora: { title: 'LoRA', learningRate: 1e-3, make: makeLora },
  ia3: {
    title: 'IA³',
    learningRate: 1e-2,
    make: flags =>
      ia3({ ...given(flags, ['targetModules', 'excludeModules', 'feedforwardModules']), seed: flags.seed }),
  },
  'prefix-tuning': { title: 'Prefix tuning', learningRate: 1e-2, make: makePrefixTuning },
  'prompt-tuning': { title: 'Prompt tuning', learningRate: 3e-2, make: makePromptTuning },
  'p-tuning': {
    title: 'P-tuning',
    learningRate: 3e-3,
    make: flags =>
      pTuning({
        numVirtualTokens: flags.numVirtualTokens!,
        ...given(flags, [
          ...(['encoderReparameterizationType', 'encoderHiddenSize', 'encoderNumLayers', 'encoderDropout'] as const),
        ]),
        seed: flags.seed,
      }),
  },
  'llama-adapter': { title: 'LLaMA-Adapter', learningRate: 1e-2, make: makeLlamaAdapter },
  full: {
    title: 'Full fine-tuning',
    learningRate: 1e-4,
    make({ parts, ...flags }) {
      const kinds = parts === undefined ? {} : { parts: parts as readonly Part[] };
      return fullFineTune({ ...kinds, ...given(flags, ['include', 'exclude']) });
    },
  },
};

const virtualTokens = { numVirtualTokens: 20 };

/** What methods take where an option is not given, besides what their packages say. */
const defaults: Readonly<Record<MethodName, Partial<MethodFlagValues>>> = {
  lora: { targetModules: 'all-linear', rank: 8, dropout: 0 },
  ia3: {},
  'prefix-tuning': virtualTokens,
  'prompt-tuning': virtualTokens,
  'p-tuning': virtualTokens,
  'llama-adapter': { adapterLen: 10 },
  full: {},
};

/** The options with the defaults of the method; those of an adapter that there is are as they are. */
export function fillInMethod<F extends MethodFlagValues & { readonly from?: string | undefined }>(flags: F): F {
  if (flags.from !== undefined) return flags;
  const missing = Object.entries(defaults[flags.adapter]).filter(([flag]) => flags[flag as MethodFlag] === undefined);
  const settled = { ...flags, ...Object.fromEntries(missing) };
  return settled.adapter === 'lora' ? { ...settled, alpha: settled.alpha ?? settled.rank } : settled;
}

/**
 * The adapter that the flags describe.
 *
 * @throws Problem for an option that does not belong to the method, by its name, and for options that do not fit together
 */
export function chooseAdapter(flags: Flags, base: AdapterBase): Adapter {
  checkMethodFlags(flags);
  return methods[flags.adapter].make(fillInMethod(flags), base);
}

/** @throws Problem for an option that does not belong to the method, or without effect there, by its name */
export function checkMethodFlags(flags: MethodFlagValues): void {
  const { adapter } = flags;
  const stray = strayFlags(flags)[0];
  if (stray !== undefined) {
    const owners = methodsOfFlag[stray];
    throw problem('cli', {
      what: `${flagName(stray)} does not belong to --adapter ${adapter}`,
      expected: `--adapter ${owners.join(' or ')}`,
    });
  }
  if (flags.loraplusLrEmbedding !== undefined && flags.loraplusLrRatio === undefined) {
    throw problem('cli', { what: '--loraplus-lr-embedding has no effect without --loraplus-lr-ratio' });
  }
}

/** Options that are set and belong to other methods. */
function strayFlags(flags: MethodFlagValues): MethodFlag[] {
  const all = Object.entries(methodsOfFlag) as [MethodFlag, readonly MethodName[]][];
  return all
    .filter(([flag, owners]) => flags[flag] !== undefined && flags[flag] !== false && !owners.includes(flags.adapter))
    .map(([flag]) => flag);
}

/** Whether an option says something of a run of this method. */
export function isOfMethod(flag: string, adapter: MethodName): boolean {
  return !Object.hasOwn(methodsOfFlag, flag) || methodsOfFlag[flag as MethodFlag].includes(adapter);
}

/** The learning rate that a method begins with where none is given. */
export function defaultLearningRate(adapter: MethodName): number {
  return methods[adapter].learningRate;
}

/** How the optimiser is to update what is trained. */
export function optimizerOptions(
  flags: Pick<TrainFlagValues, 'weightDecay' | 'loraplusLrRatio' | 'loraplusLrEmbedding'> & { learningRate: number },
): AdamWOptions {
  const { learningRate, weightDecay, loraplusLrRatio, loraplusLrEmbedding } = flags;
  if (loraplusLrRatio === undefined) return { learningRate, weightDecay };
  return loraPlus({
    ...{ learningRate, loraplusLrRatio, loraplusWeightDecay: weightDecay },
    ...(loraplusLrEmbedding !== undefined && { loraplusLrEmbedding }),
  });
}

/** How tables and charts call a run that has no name: `'LoRA + DropBP 0.5'`. */
export function nameOfRun(flags: TrainFlagValues): string {
  const method = flags.useDora ? 'DoRA' : methods[flags.adapter].title;
  return flags.name ?? (dropsNothing(flags) ? method : `${method} + DropBP ${budgetText(flags)}`);
}

function makeLora(flags: Flags, { model, newTokens = [] }: AdapterBase): Adapter {
  const { targetModules, initLoraWeights, useRslora, useDora, loraBias, ensureWeightTying, seed } = flags;
  return lora({
    ...{ targetModules: targetModules!, useRslora, useDora, loraBias, ensureWeightTying, seed },
    ...given(flags, [
      ...(['rank', 'alpha', 'dropout', 'excludeModules', 'layersToTransform', 'layersPattern'] as const),
      ...(['rankPattern', 'alphaPattern', 'bias', 'modulesToSave', 'trainableTokenIndices'] as const),
    ]),
    ...(newTokens.length > 0 && { trainableTokenIndices: tokenRows(flags, model, newTokens) }),
    ...(initLoraWeights !== undefined && { initialization: initLoraWeights as Initialization }),
  });
}

/** The rows of new tokens, in the embedding and in an output layer of its own, besides those that a flag names. */
function tokenRows(
  { trainableTokenIndices: named = [] }: Flags,
  model: AdapterBase['model'],
  newTokens: readonly number[],
): TokenIndices {
  const rows = [...new Set([...named, ...newTokens])];
  const { embedding } = model;
  const head = findTokenHead(model);
  const isAlone = head === undefined || head.weight === `${embedding}.weight`;
  return isAlone ? rows : { [embedding]: rows, [head.path]: [...newTokens] };
}

function makePrefixTuning(flags: Flags): Adapter {
  const { numVirtualTokens, prefixProjection, initWeights, seed } = flags;
  if (flags.encoderHiddenSize !== undefined && !prefixProjection) {
    throw problem('cli', { what: '--encoder-hidden-size has no effect without --prefix-projection' });
  }
  return prefixTuning({
    ...{ numVirtualTokens: numVirtualTokens!, prefixProjection, seed },
    ...given(flags, ['encoderHiddenSize']),
    ...(initWeights !== undefined && { initialization: initWeights }),
  });
}

function makePromptTuning(flags: Flags, { tokenizer }: AdapterBase): Adapter {
  const { numVirtualTokens, promptTuningInitText: text, seed } = flags;
  const init = flags.promptTuningInit ?? (text === undefined ? 'random' : 'text');
  if ((init === 'text') !== (text !== undefined)) {
    throw problem('cli', {
      what: `--prompt-tuning-init ${init} ${text === undefined ? 'needs' : 'does not go with'} --prompt-tuning-init-text`,
    });
  }
  const starts: Readonly<Record<string, NonNullable<PromptTuningOptions['initialization']>>> = {
    random: 'random',
    sample_vocab: 'vocabulary',
  };
  const initialization = text === undefined ? starts[init]! : { text, tokenizer: tokenizer! };
  return promptTuning({ numVirtualTokens: numVirtualTokens!, initialization, seed });
}

function makeLlamaAdapter({ adapterLen, adapterLayers, seed }: Flags, { model }: AdapterBase): Adapter {
  const layers = model.branches.filter(({ kind }) => kind === 'attention').length;
  return llamaAdapter({ adapterLen: adapterLen!, adapterLayers: adapterLayers ?? Math.max(1, layers - 2), seed });
}

/** What of these options is given. */
function given<K extends keyof MethodFlagValues>(
  flags: Pick<MethodFlagValues, K>,
  keys: readonly K[],
): { [P in K]?: NonNullable<MethodFlagValues[P]> } {
  const set = keys.filter(key => flags[key] !== undefined).map(key => [key, flags[key]]);
  return Object.fromEntries(set) as { [P in K]?: NonNullable<MethodFlagValues[P]> };
}
