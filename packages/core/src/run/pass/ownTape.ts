import * as tf from '@tensorflow/tfjs';

interface TapeState {
  activeTape: unknown;
  gradientDepth: number;
  kernelDepth: number;
}

function tapeState(): TapeState {
  return tf.engine().state;
}

/** Whether tfjs records what runs now. */
export function isRecording(): boolean {
  const { gradientDepth, kernelDepth } = tapeState();
  return gradientDepth > 0 && kernelDepth === 0;
}

/** Runs with nothing recorded so far: tfjs has one tape, which must not see what is differentiated inside another pass. */
export function withoutTape<T>(run: () => T): T {
  return withTape({ activeTape: null, gradientDepth: 0, kernelDepth: 0 }, run);
}

/** Runs with a tape of its own, which is found in tfjs's state until the end. */
export function withOwnTape<T>(run: () => T): T {
  return withTape({ activeTape: [], gradientDepth: 1, kernelDepth: 0 }, run);
}

/** Frees what a pass that has failed kept for its backward pass: tfjs does so only at the end of one. */
export function freeTape(): void {
  const tape = tapeState().activeTape as readonly { readonly saved?: readonly tf.Tensor[] | null }[] | null;
  tf.dispose((tape ?? []).flatMap(({ saved }) => saved ?? []));
}

function withTape<T>(tape: TapeState, run: () => T): T {
  const state = tapeState();
  const { activeTape, gradientDepth, kernelDepth } = state;
  Object.assign(state, tape);
  try {
    return run();
  } finally {
    Object.assign(state, { activeTape, gradientDepth, kernelDepth });
  }
}
