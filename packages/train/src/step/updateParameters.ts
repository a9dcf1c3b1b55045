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
  window: Pick<StepOfAll, 'value' | 'gradients' | 'norm'>,
  options: Pick<TrainPlan, 'maxGradientNorm' | 'optimizer' | 'learningRate'> & {
    readonly step: number;
    readonly early?: EarlyUpdates | undefined;
  },
): Promise<Pick<TrainStep, 'loss' | 'gradientNorm' | 'updated'>> {
  const { maxGradientNorm, optimizer, learningRate, step, early } = options;
  const { gradients } = window;
  const known = window.norm === undefined ? undefined : tf.scalar(window.norm);
  const norm = known ?? early?.normWith(gradients) ?? globalNorm(gradients);
  const both = tf.tidy(() => tf.stack([window.value, norm]));
  tf.dispose([window.value, norm]);
  try {
    const [loss, gradientNorm] = (await both.data()) as Float32Array;
    const isUntouched = early?.any !== true;
    checkFinite('loss', loss!, step, isUntouched);
    checkFinite('gradient norm', gradientNorm!, step, isUntouched);
    // As clipByGlobalNorm; but the norm is known here, so that nothing is copied where nothing is clipped.
    const factor = maxGradientNorm / (gradientNorm! + 1e-6);
    if (factor < 1) scaleAll(gradients, factor);
    const updated = gradients.size > 0 || early?.any === true;
    if (gradients.size > 0) optimizer.apply(parameters, gradients, learningRate);
    return { loss: loss!, gradientNorm: gradientNorm!, updated };
  } finally {
    tf.dispose([both, ...gradients.values()]);
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
