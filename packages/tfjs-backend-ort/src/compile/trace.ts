import * as tf from '@tensorflow/tfjs';
import { problem } from '@dropbp/basics';
import { Recording, type RecordingBackend } from './recording.ts';

/**
 * Runs `record` while every kernel that sees a traced tensor is recorded instead of run. Tensors that it leaves behind are disposed.
 * Kernels on real tensors run: that folds constants.
 */
export function trace<T>(
  backend: RecordingBackend,
  record: (recording: Recording) => T,
): { recording: Recording; result: T } {
  const recording = new Recording(backend.store, backend);
  const { state } = tf.engine();
  // A trace begins in the middle of other people's tapes and kernels, and must leave no trace in them.
  const { activeTape, gradientDepth, kernelDepth } = state;
  const outer = backend.recording;
  const random = Math.random;
  Object.assign(state, { activeTape: null, gradientDepth: 0, kernelDepth: 0 });
  backend.recording = recording;
  Math.random = refuseRandom;
  tf.engine().startScope('trace');
  try {
    return { recording, result: record(recording) };
  } catch (error) {
    recording.dispose();
    throw error;
  } finally {
    tf.engine().endScope();
    Math.random = random;
    backend.recording = outer;
    Object.assign(state, { activeTape, gradientDepth, kernelDepth });
  }
}

/** Drawn once, in the trace, a random number would be the same in every run: dropout that always drops the same elements. */
function refuseRandom(): number {
  throw problem('tfjs-backend-ort', {
    what: 'a function inside compile() draws random numbers, which would be the same in every call',
    fix: 'draw them outside and pass them as an input',
  });
}
