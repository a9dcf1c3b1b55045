import * as tf from '@tensorflow/tfjs';

/** How long a run may wait for its loop before someone is told. */
const PATIENCE_MS = 1000;

let hasWarnedOfCpu = false;

/**
 * Warns if a run was made and nobody asks it for a step: then nothing is trained, which no error says.
 *
 * @returns what the run calls when it starts
 */
export function warnUnlessStarted(): () => void {
  const timer = setTimeout(() => {
    // eslint-disable-next-line no-console -- a warning, in Node and in browsers
    console.warn(
      'train() was called, but nothing is being trained: a step runs when it is asked for. ' +
        'Loop over the steps with `for await (const step of train(…))`, or call `await fineTune(…)` instead.',
    );
  }, PATIENCE_MS);
  return () => clearTimeout(timer);
}

/** Warns once in a process that trains on tfjs's plain `cpu` backend, which is many times slower than the others. */
export function warnOfPlainCpu(): void {
  if (tf.getBackend() !== 'cpu' || hasWarnedOfCpu) return;
  hasWarnedOfCpu = true;
  // eslint-disable-next-line no-console -- a warning, in Node and in browsers
  console.warn(
    "Training runs on tfjs's plain 'cpu' backend, which is many times slower than ONNX Runtime. " +
      "Call `await useBackend()` of 'dropbp', or import '@dropbp/tfjs-backend-ort', before the model is loaded.",
  );
}
