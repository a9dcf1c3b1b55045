import { checkNumber, checkOptions, problem, ranges } from '@dropbp/basics';
import type { Batch } from '@dropbp/core';
import { adamW } from './adamW.ts';
import { positive } from './positive.ts';
import type { Optimizer } from './optimizer.ts';
import { constant, type Schedule } from './schedule.ts';

/** Options of {@link train}. */
export interface TrainOptions {
  /** Updates to do. */
  readonly steps: number;
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
  /** Of the dropout masks. DropBP has a seed of its own. @defaultValue 0 */
  readonly seed?: number;
  /** Ends the run before the next micro-batch, with an error: the signal's reason. */
  readonly signal?: AbortSignal;
  /** Measures the loss on other text while training. */
  readonly evaluate?: EvaluateOptions;
}

/** When and on what {@link train} measures the loss. */
export interface EvaluateOptions {
  /** Makes the batches for one evaluation, which are disposed by it. */
  readonly batches: () => Iterable<Batch> | AsyncIterable<Batch>;
  /** Steps from one evaluation to the next. The last step is always evaluated. */
  readonly every: number;
}

/** The options with their defaults. */
export interface TrainPlan extends Required<Omit<TrainOptions, 'warmupSteps' | 'signal' | 'evaluate'>> {
  readonly signal: AbortSignal | undefined;
  readonly evaluate: EvaluateOptions | undefined;
  readonly ownsOptimizer: boolean;
}

/** @throws Problem on options that are unknown, missing or out of range */
export function settle(options: TrainOptions): TrainPlan {
  checkOptions('train', 'train()', options, [
    'steps',
    'optimizer',
    'learningRate',
    'schedule',
    'warmupSteps',
    'accumulation',
    'maxGradientNorm',
    'seed',
    'signal',
    'evaluate',
  ]);
  const { steps, optimizer, schedule, warmupSteps, signal, evaluate } = options;
  const { accumulation = 1, maxGradientNorm = 1, seed = 0 } = options;
  const learningRate = options.learningRate ?? optimizer?.learningRate;
  checkNumber('train', 'steps', steps, ranges.count);
  checkNumber('train', 'learningRate', learningRate, ranges.nonNegative, 'start with learningRate: 1e-4');
  checkNumber('train', 'accumulation', accumulation, ranges.count);
  checkNumber('train', 'maxGradientNorm', maxGradientNorm, positive);
  checkNumber('train', 'seed', seed, { accepts: Number.isInteger, expected: 'an integer' });
  if (schedule !== undefined && warmupSteps !== undefined) {
    throw problem('train', {
      what: 'warmupSteps has no effect beside a schedule',
      fix: 'give it to the schedule: cosine({ warmupSteps })',
    });
  }
  if (evaluate !== undefined) {
    checkOptions('train', 'evaluate', evaluate, ['batches', 'every']);
    checkNumber('train', 'evaluate.every', evaluate.every, ranges.count);
    if (typeof evaluate.batches !== 'function') {
      throw problem('train', { what: 'evaluate.batches is not usable', expected: 'a function that makes the batches' });
    }
  }
  return {
    steps,
    optimizer: optimizer ?? adamW({ learningRate }),
    learningRate,
    schedule: schedule ?? constant(warmupSteps === undefined ? {} : { warmupSteps }),
    accumulation,
    maxGradientNorm,
    seed,
    signal,
    evaluate,
    ownsOptimizer: optimizer === undefined,
  };
}
