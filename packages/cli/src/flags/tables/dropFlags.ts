import {
  atLeastOne,
  choice,
  number,
  optionalChoice,
  positiveInteger,
  share,
  shareAboveZero,
  size,
  text,
  toggle,
  upToOne,
  type FlagValues,
} from '../flag.ts';

/** The flags that say what DropBP does. */
export const dropFlags = {
  rate: {
    ...number(share, 'share of the backward pass that DropBP drops; 0 is without DropBP'),
    defaultText: '0; 0.5 where most of the weights are trained, or another flag of DropBP is given',
  },
  timeSaved: {
    ...number(shareAboveZero, "share of a step's FLOPs to save, in place of --rate"),
    defaultText: 'not aimed at',
  },
  memory: { ...size("what a step may use, in place of --rate: '4GiB'"), defaultText: 'not aimed at' },
  dropPrompts: choice(
    ['auto', 'on', 'off'],
    'run prompts forward only; auto: where gradients show that it pays',
    'off',
  ),
  allocation: optionalChoice(
    ['depth', 'reference', 'minimax', 'quadratic', 'linear'],
    'how drop rates are chosen: by depth, or from measured sensitivities',
    'depth if it can meet the other flags, else reference',
  ),
  sampling: optionalChoice(
    ['reference', 'bernoulli', 'pivotal', 'nested'],
    "how a step's branches are drawn",
    'the draw that goes with the allocation',
  ),
  minRate: number(share, 'no branch is dropped less often than this, or than all are', 0),
  maxRate: {
    ...number(upToOne, 'no branch is dropped more often than this, with --allocation'),
    defaultText: '0.9',
  },
  only: optionalChoice(['attention', 'mlp'], 'drop branches of this kind alone', 'both'),
  rescale: toggle('scale the gradients of kept branches up'),
  rescaleMax: { ...number(atLeastOne, 'by no more than this'), defaultText: '4' },
  dropWarmup: number(share, 'share of the steps, at the beginning, that drops nothing', 0),
  dropRamp: number(share, 'share of the steps after it in which the rate rises', 0),
  dropFrom: { ...number(share, 'the rate at which it begins to'), defaultText: '0' },
  noCalibration: toggle('drop all branches equally often, without measuring their sensitivities'),
  calibrateAt: {
    ...number(share, 'share of the steps after which sensitivities are measured'),
    defaultText: '0.1; none are measured with --allocation depth',
  },
  calibrateEvery: {
    ...number(positiveInteger, 'batches from one measuring to the next'),
    defaultText: 'measured once',
  },
  calibrateOn: { ...number(positiveInteger, 'sequences that are measured on'), defaultText: '1' },
  sensitivities: {
    ...text('<run folder>', 'takes those that an earlier run measured, in place of measuring'),
    defaultText: 'measured',
  },
};

/** Titles of {@link dropFlags} in the help. */
export const dropSections = {
  rate: 'DropBP: how much is dropped',
  allocation: 'DropBP: which branches',
  dropWarmup: 'DropBP: when',
  noCalibration: 'DropBP: sensitivities',
};

/** The values of {@link dropFlags}. */
export type DropFlagValues = FlagValues<typeof dropFlags>;
