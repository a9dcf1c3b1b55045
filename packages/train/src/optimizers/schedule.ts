import { checkNumber, checkOptions, ranges } from '@dropbp/basics';

/**
 * What the learning rate is multiplied with in a step. A plain function: write your own.
 *
 * @param step - steps done so far: 0 in the first
 * @param totalSteps - of the whole run
 */
export type Schedule = (step: number, totalSteps: number) => number;

/** Options of {@link constant}. */
export interface WarmupOptions {
  /** The factor rises from 0 to 1 over so many steps. The first step, at 0, changes nothing. @defaultValue 0 */
  readonly warmupSteps?: number;
}

/** Options of {@link cosine} and {@link linear}. */
export interface DecayOptions extends WarmupOptions {
  /** What the factor falls to at the end of the run, in [0, 1]. @defaultValue 0 */
  readonly minimum?: number;
}

/** The learning rate as it is, after a warm-up on request. As transformers' `constant_with_warmup`. */
export function constant(options: WarmupOptions = {}): Schedule {
  checkOptions('train', 'constant()', options, ['warmupSteps']);
  return warmedUp(options, () => 1);
}

/** Falls along half a cosine, after a warm-up on request. As transformers' `cosine` and `cosine_with_min_lr`. */
export function cosine(options: DecayOptions = {}): Schedule {
  return decaying('cosine()', options, progress => (1 + Math.cos(Math.PI * progress)) / 2);
}

/** Falls in a straight line, after a warm-up on request. As transformers' `linear`. */
export function linear(options: DecayOptions = {}): Schedule {
  return decaying('linear()', options, progress => 1 - progress);
}

function decaying(subject: string, options: DecayOptions, shape: (progress: number) => number): Schedule {
  checkOptions('train', subject, options, ['warmupSteps', 'minimum']);
  const { minimum = 0 } = options;
  checkNumber('train', 'minimum', minimum, ranges.share);
  return warmedUp(options, progress => minimum + (1 - minimum) * shape(progress));
}

function warmedUp({ warmupSteps = 0 }: WarmupOptions, rest: (progress: number) => number): Schedule {
  checkNumber('train', 'warmupSteps', warmupSteps, ranges.nonNegative);
  return (step, totalSteps) => {
    if (step < warmupSteps) return step / warmupSteps;
    return rest(Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps)));
  };
}
