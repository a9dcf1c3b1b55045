import * as tf from '@tensorflow/tfjs';
import { notFinite } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { StepOfAll } from '../comm/stepOfAll.ts';
import type { EarlyUpdates } from './earlyUpdates.ts';
import { globalNorm } from './clipByGlobalNorm.ts';
import { scaleAll } from './tensorMaps.ts';
import type { TrainPlan } from '../options/trainOptions.ts';
import type { TrainStep } from './trainStep.ts';

/**
 * Clips the gradients, looks whether all is finite, and lets the optimizer do its step. Frees the tensors of `window`.
 *
 * @throws NotFinite if loss or gradients are not finite; the parameters have not changed then, but for early updates
 */
export async function updateParameters(
  { parameters }: Pick<Tuned, 'parameters'>,
  window: Pick<StepOfAll, 'value' | 'gradients' | 'metrics' | 'norm'>,
  options: Pick<TrainPlan, 'maxGradientNorm' | 'optimizer' | 'learningRate'> & {
    readonly step: number;
    readonly early?: EarlyUpdates | undefined;
  },
): Promise<Pick<TrainStep, 'loss' | 'gradientNorm' | 'updated' | 'metrics'>> {
  const { maxGradientNorm, optimizer, learningRate, step, early } = options;
  const { gradients, metrics } = window;
  const known = window.norm === undefined ? undefined : tf.scalar(window.norm);
  const norm = known ?? early?.normWith(gradients) ?? globalNorm(gradients);
  const all = tf.tidy(() => tf.stack([window.value, norm, ...metrics.values()]));
  tf.dispose([window.value, norm, ...metrics.values()]);
  try {
    const [loss, gradientNorm, ...others] = Array.from(await all.data());
    const isUntouched = early?.any !== true;
    checkFinite('loss', loss!, step, isUntouched);
    checkFinite('gradient norm', gradientNorm!, step, isUntouched);
    // As clipByGlobalNorm; but the norm is known here, so that nothing is copied where nothing is clipped.
    const factor = maxGradientNorm / (gradientNorm! + 1e-6);
    if (factor < 1) scaleAll(gradients, factor);
    const updated = gradients.size > 0 || early?.any === true;
    if (gradients.size > 0) optimizer.apply(parameters, gradients, learningRate);
    const told = Object.fromEntries([...metrics.keys()].map((name, i) => [name, others[i]!]));
    return { loss: loss!, gradientNorm: gradientNorm!, updated, ...(metrics.size > 0 && { metrics: told }) };
  } finally {
    tf.dispose([all, ...gradients.values()]);
  }
}

function checkFinite(what: string, value: number, step: number, isUntouched: boolean): void {
  if (Number.isFinite(value)) return;
  throw notFinite('train', {
    what: `the ${what} of step ${step} is not finite`,
    got: value,
    fix: `${isUntouched ? 'the parameters are those of the step before' : 'parameters have changed, because earlyUpdate is set'}; train with a lower learning rate or a longer warm-up`,
  });
}
