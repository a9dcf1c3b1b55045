import { checkNumber, checkOptions, checkValue, problem, ranges } from '@dropbp/basics';
import type { ObjectiveBatch } from '@dropbp/core';
import type { CheckpointFolder } from '../checkpoints/checkpointFolders.ts';
import { adamW } from '../optimizers/adamW.ts';
import { checkParts } from './checkParts.ts';
import { checkComm } from '../comm/checkComm.ts';
import type { Comm } from '../comm/comm.ts';
import { soloComm } from '../comm/soloComm.ts';
import {
  readCheckpointOptions,
  type CheckpointOptions,
  type CheckpointPlan,
} from '../checkpoints/checkpointOptions.ts';
import { isFunction } from './hasMethods.ts';
import { positive } from '../step/clipByGlobalNorm.ts';
import type { Optimizer } from '../optimizers/optimizer.ts';
import { constant, type Schedule } from '../optimizers/schedule.ts';
import type { TrainStep } from '../step/trainStep.ts';

/** Options of {@link train}. */
export interface TrainOptions extends UpdateOptions, RankOptions, WatchOptions {
  /** Updates to do. */
  readonly steps: number;
  /** Of the dropout masks. DropBP has a seed of its own. @defaultValue 0 */
  readonly seed?: number;
  /** Measures the loss on other text while training. */
  readonly evaluate?: EvaluateOptions;
  /** Keeps on the disk what the run needs to go on, also after a crash (Node). @defaultValue nothing is kept */
  readonly checkpoints?: CheckpointOptions;
}

/** How a step changes the parameters. */
export interface UpdateOptions {
  /** Whoever makes it disposes it. @defaultValue `adamW({ learningRate })`, disposed at the end */
  readonly optimizer?: Optimizer;
  /** What the schedule is multiplied with. @defaultValue the optimizer's; without one it must be given */
  readonly learningRate?: number;
  /** @defaultValue `constant({ warmupSteps })` */
  readonly schedule?: Schedule;
  /** Of the default schedule; give it to your own schedule otherwise. @defaultValue 0 */
  readonly warmupSteps?: number;
  /** Micro-batches in a step. A token counts the same in each, as if they were one batch. @defaultValue 1 */
  readonly accumulation?: number;
  /** Gradients are scaled down to this norm, all together; Infinity = never. @defaultValue 1 */
  readonly maxGradientNorm?: number;
  /**
   * Updates a parameter as soon as its gradient is final, while the backward pass is still on its way, so that gradients of all
   * weights never exist together: for full fine-tuning. Needs `maxGradientNorm: Infinity` and no accumulation, and a step that
   * is found not to be finite has changed parameters then. @defaultValue false
   */
  readonly earlyUpdate?: boolean;
}

/** Processes that train together. */
export interface RankOptions {
  /**
   * The ranks of which this process is one: all of them call this with the same options, model, adapter and batches, and take
   * their rows of each batch. The result is that of one process: a token weighs the same on every rank.
   *
   * @defaultValue `soloComm()`: this process alone
   */
  readonly comm?: Comm;
  /** Steps from one comparison of the weights of all ranks to the next, which ends the run where they differ. @defaultValue 100 */
  readonly compareWeightsEvery?: number;
}

/** Who ends a run, and who hears of it. */
export interface WatchOptions {
  /** Ends the run before the next micro-batch, with an error: the signal's reason. */
  readonly signal?: AbortSignal;
  /** Ends the run behind the step under way, without an error. With checkpoints, that step has one: it can go on later. */
  readonly stop?: AbortSignal;
  /** Hears of each step, and is waited for; the loop over the steps can do all that it can. */
  readonly onStep?: (step: TrainStep) => void | Promise<void>;
  /** Hears of each checkpoint when it is written, and is waited for. Of several ranks, on rank 0 alone: the folder is there. */
  readonly onCheckpoint?: (checkpoint: CheckpointFolder) => void | Promise<void>;
}

/** When and on what {@link train} measures the loss. */
export interface EvaluateOptions {
  /** Makes the batches for one evaluation: they come to an end, and are disposed by it. */
  readonly batches: () => Iterable<ObjectiveBatch> | AsyncIterable<ObjectiveBatch>;
  /** Steps from one evaluation to the next. The last step is always evaluated. */
  readonly every: number;
  /** Ends the run when so many evaluations in a row have not lowered the best loss. @defaultValue never */
  readonly patience?: number;
  /**
   * The loss before training, in nats per token: one that is not below it is never the best, and counts for `patience`. Give it
   * again to a run that goes on. @defaultValue none: the first evaluation is the best so far
   */
  readonly lossBefore?: number;
}

type Optional = 'signal' | 'stop' | 'evaluate' | 'checkpoints' | 'onStep' | 'onCheckpoint';

/** The options with their defaults. */
export interface TrainPlan extends Required<Omit<TrainOptions, 'warmupSteps' | Optional>> {
  readonly signal: AbortSignal | undefined;
  readonly stop: AbortSignal | undefined;
  readonly evaluate: EvaluateOptions | undefined;
  readonly checkpoints: CheckpointPlan | undefined;
  readonly onStep: TrainOptions['onStep'];
  readonly onCheckpoint: TrainOptions['onCheckpoint'];
  readonly ownsOptimizer: boolean;
}

/** @throws Problem on options that are unknown, missing or out of range */
export function readTrainOptions(options: TrainOptions): TrainPlan {
  checkOptions('train', 'train()', options, [
    'steps',
    'optimizer',
    'learningRate',
    'schedule',
    'warmupSteps',
    'accumulation',
    'maxGradientNorm',
    'earlyUpdate',
    'seed',
    'comm',
    'compareWeightsEvery',
    'signal',
    'stop',
    'evaluate',
    'checkpoints',
    'onStep',
    'onCheckpoint',
  ]);
  checkParts(options);
  const { steps, optimizer, schedule, warmupSteps, evaluate, checkpoints } = options;
  const { accumulation = 1, maxGradientNorm = 1, earlyUpdate = false, seed = 0 } = options;
  const { comm = soloComm(), compareWeightsEvery = 100 } = options;
  const learningRate = options.learningRate ?? optimizer?.learningRate;
  checkNumber('train', 'steps', steps, ranges.count);
  checkNumber('train', 'learningRate', learningRate, ranges.nonNegative, 'start with learningRate: 1e-4');
  checkNumber('train', 'accumulation', accumulation, ranges.count);
  checkNumber('train', 'maxGradientNorm', maxGradientNorm, positive);
  checkNumber('train', 'seed', seed, ranges.integer);
  checkComm(comm);
  if (earlyUpdate && (maxGradientNorm < Infinity || accumulation > 1)) {
    throw problem('train', {
      what: 'earlyUpdate updates parameters before all gradients are known, which clipping and accumulation forbid',
      got: { maxGradientNorm, accumulation },
      fix: 'set maxGradientNorm: Infinity and accumulation: 1, or leave earlyUpdate out',
    });
  }
  checkNumber('train', 'compareWeightsEvery', compareWeightsEvery, ranges.count);
  if (earlyUpdate && comm.size > 1) {
    throw problem('train', {
      what: 'earlyUpdate updates parameters before the gradients of all ranks are added up',
      got: `${comm.size} ranks`,
      fix: 'leave earlyUpdate out',
    });
  }
  if (schedule !== undefined && warmupSteps !== undefined) {
    throw problem('train', {
      what: 'warmupSteps has no effect beside a schedule',
      fix: 'give it to the schedule: cosine({ warmupSteps })',
    });
  }
  if (evaluate !== undefined) checkEvaluate(evaluate);
  return {
    steps,
    optimizer: optimizer ?? adamW({ learningRate }),
    learningRate,
    schedule: schedule ?? constant(warmupSteps === undefined ? {} : { warmupSteps }),
    accumulation,
    maxGradientNorm,
    earlyUpdate,
    seed,
    comm,
    compareWeightsEvery,
    signal: options.signal,
    stop: options.stop,
    evaluate,
    checkpoints: checkpoints === undefined ? undefined : readCheckpointOptions(checkpoints),
    onStep: options.onStep,
    onCheckpoint: options.onCheckpoint,
    ownsOptimizer: optimizer === undefined,
  };
}

function checkEvaluate(evaluate: EvaluateOptions): void {
  checkOptions('train', 'evaluate', evaluate, ['batches', 'every', 'patience', 'lossBefore']);
  checkNumber('train', 'evaluate.every', evaluate.every, ranges.count);
  if (evaluate.patience !== undefined) checkNumber('train', 'evaluate.patience', evaluate.patience, ranges.count);
  if (evaluate.lossBefore !== undefined) {
    checkNumber('train', 'evaluate.lossBefore', evaluate.lossBefore, ranges.nonNegative);
  }
  const expected = 'a function that makes the batches: () => textBatches(…)';
  checkValue<unknown>('train', 'evaluate.batches', evaluate.batches, isFunction, expected);
}
