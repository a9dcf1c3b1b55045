import {
  choice,
  index,
  names,
  notNegative,
  number,
  positive,
  positiveInteger,
  requiredText,
  seedInteger,
  share,
  text,
  toggle,
  type FlagValues,
} from '../flag.ts';
import { dataFlags } from './dataFlags.ts';
import { dropFlags, dropSections } from './dropFlags.ts';
import { methodFlags, methodSections } from './methodFlags.ts';
import { checkpointingFlag, modelFlag, revisionFlag, weightsFlag, backendFlag } from './modelFlags.ts';

/** The flags of `dropbp train`. */
export const trainFlags = {
  model: modelFlag('the model to fine-tune'),
  revision: revisionFlag(),
  from: text('<folder|hub id>', 'an adapter to train on: its method, options and base come from its configuration'),
  out: requiredText('<folder>', 'where the adapter and the report go'),
  dryRun: toggle('show what the run would do and what the model would see, and train nothing'),
  config: text('<file>', 'flags from a file, YAML or JSON, as learningRate: 0.001; those given here win'),
  resume: toggle('go on with the run in that folder, with its flags; begins where there is none'),
  acceptChanges: names(
    '<names>',
    'with --resume: flags, model, tokenizer or data that may differ from before: lr,data',
  ),
  fromStep: {
    ...number(positiveInteger, 'with --resume: the checkpoint to go on from; later ones are set aside'),
    defaultText: 'the newest',
  },
  overwrite: toggle('replace an earlier run in that folder'),

  ...dataFlags,

  ...methodFlags,

  ...dropFlags,

  addTokens: text('<a,b,c|file>', 'with LoRA: tokens to add and to train, or a file with one token a line'),

  steps: { ...number(positiveInteger, 'optimiser steps'), defaultText: '3 epochs, within 20 to 300 steps' },
  epochs: number(positive, 'how often to go through all data, in place of --steps: 2, 0.5'),
  batch: number(positiveInteger, 'sequences in a batch', 8),
  time: {
    ...number(positiveInteger, 'tokens in a sequence at most'),
    defaultText: '128 for texts, 512 else, or as many as the model can',
  },
  accumulation: number(positiveInteger, 'batches in a step', 1),
  learningRate: {
    ...number(positive, 'at its highest'),
    defaultText: 'what suits the adapter: 0.001 for lora',
    aliases: ['lr'],
  },
  schedule: choice(['cosine', 'linear', 'constant'], 'how the learning rate falls', 'cosine'),
  warmup: number(share, 'share of the steps in which the learning rate rises', 0.05),
  weightDecay: number(notNegative, "AdamW's", 0),
  maxGradientNorm: number(positive, 'gradients are clipped to this norm', 1),

  evaluations: number(positiveInteger, 'how often the held-out loss is measured, after the first time', 4),
  prompt: { ...text('<text>', 'what the text samples begin with'), defaultText: 'how the data begin' },
  sampleTokens: number(index, 'tokens in a text sample; 0 writes none', 60),
  patience: {
    ...number(positiveInteger, 'end when so many evaluations in a row have not lowered the held-out loss'),
    defaultText: 'never',
  },
  keep: choice(['best', 'last'], 'which step is kept in the end: that of the best held-out loss, or the last', 'best'),

  saveEvery: {
    ...number(positiveInteger, 'steps from one checkpoint to the next'),
    defaultText: 'a tenth of all, at most 100',
  },
  keepCheckpoints: number(positiveInteger, 'newest checkpoints that are kept, beside the best', 2),

  weights: weightsFlag(),
  checkpointing: checkpointingFlag(),
  seed: number(seedInteger, 'the same seed gives the same run', 1),
  name: { ...text('<text>', 'how tables and charts call the run'), defaultText: 'what it does' },
  backend: backendFlag(),
  workers: {
    ...number(positiveInteger, 'processes on this machine that train together, by mpirun and @dropbp/mpi'),
    defaultText: '1, or those of the MPI launcher that starts this',
  },
  verbose: toggle('print more: the drop rate of each branch'),
  json: toggle('print the result as one JSON object'),
};

/** Titles in the help. */
export const trainSections = {
  data: 'What is learned from',
  ...methodSections,
  ...dropSections,
  steps: 'Length and batches',
  learningRate: 'Optimiser',
  evaluations: 'What is measured',
  saveEvery: 'Checkpoints',
  weights: 'Other',
};

/** Flags that say how a command is run, and are not kept with the run. */
export const notOfTheRun: readonly string[] = [
  ...['out', 'dryRun', 'config', 'resume', 'acceptChanges', 'fromStep', 'overwrite', 'workers', 'verbose', 'json'],
];

/** The values of {@link trainFlags}. */
export type TrainFlagValues = FlagValues<typeof trainFlags>;
