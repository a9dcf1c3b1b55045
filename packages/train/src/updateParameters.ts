import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import type { Tuned } from '@dropbp/compose';
import type { Accumulated } from './accumulate.ts';
import { globalNorm } from './clipByGlobalNorm.ts';
import { scaleAll } from './tensorMaps.ts';
import type { TrainPlan } from './trainOptions.ts';
import type { TrainStep } from './trainStep.ts';

/**
 * Clips the gradients, looks whether all is finite, and lets the optimizer do its step. Frees the tensors of `window`.
 *
 * @throws Problem if loss or gradients are not finite; the parameters have not changed then
 */
export async function updateParameters(
  { parameters }: Pick<Tuned, 'parameters'>,
  window: Pick<Accumulated, 'value' | 'gradients'>,
  options: Pick<TrainPlan, 'maxGradientNorm' | 'optimizer' | 'learningRate'> & { readonly step: number },
): Promise<Pick<TrainStep, 'loss' | 'gradientNorm' | 'updated'>> {
  const { maxGradientNorm, optimizer, learningRate, step } = options;
  const { gradients } = window;
  const norm = globalNorm(gradients);
  const both = tf.tidy(() => tf.stack([window.value, norm]));
  tf.dispose([window.value, norm]);
  try {
    const [loss, gradientNorm] = (await both.data()) as Float32Array;
    checkFinite('loss', loss!, step);
    checkFinite('gradient norm', gradientNorm!, step);
    // As clipByGlobalNorm; but the norm is known here, so that nothing is copied where nothing is clipped.
    const factor = maxGradientNorm / (gradientNorm! + 1e-6);
    if (factor < 1) scaleAll(gradients, factor);
    const updated = gradients.size > 0;
    if (updated) optimizer.apply(parameters, gradients, learningRate);
    return { loss: loss!, gradientNorm: gradientNorm!, updated };
  } finally {
    tf.dispose([both, ...gradients.values()]);
  }
}

function checkFinite(what: string, value: number, step: number): void {
  if (Number.isFinite(value)) return;
  throw problem('train', {
    what: `the ${what} of step ${step} is not finite`,
    got: value,
    fix: 'the parameters are those of the step before; train with a lower learning rate or a longer warm-up',
  });
}
