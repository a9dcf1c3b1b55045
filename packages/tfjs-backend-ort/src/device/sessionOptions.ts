import { sizeOf } from '../graph/shape.ts';
import type { OnnxModel } from '../onnx/onnxModel.ts';
import { temporaryBytes } from './temporaryBytes.ts';

/** A model whose inputs and outputs all have fewer elements than this runs on one thread: there is nothing to share out. */
const worthThreads = 16_384;

/**
 * What a session may keep between its runs, for what lies between its operations. Every session has an arena of its own, which never
 * gives back, is up to twice as large as what is needed, and serves no other session. Runs without one touch
 * fresh memory: with 30 MiB here a step of SmolLM2-135M on 2,048 tokens took 5 to 8 % longer.
 */
const worthAnArena = 44 * 2 ** 20;

/** How a session on a CPU runs best here, in any interface of onnxruntime-node. */
export function sessionOptions(model: OnnxModel, threads: number): object {
  const { inputs, outputs } = model;
  const isLarge = [...inputs, ...outputs].some(({ shape }) => sizeOf(shape) >= worthThreads);
  return {
    // Every session has threads of its own, and there may be hundreds of sessions.
    intraOpNumThreads: isLarge ? threads : 1,
    interOpNumThreads: 1,
    // Patterns are per session and shape; without them a session holds less and is as fast.
    enableMemPattern: false,
    enableCpuMemArena: temporaryBytes(model) <= worthAnArena,
    extra: {
      // Threads that spin after a run would take the cores from the session that runs next.
      session: { intra_op: { allow_spinning: '0' } },
      // It would join a reshape whose shape is there to wait for another value (kernels/ordering.ts) with its neighbours.
      optimization: { disable_specified_optimizers: 'ReshapeFusion' },
    },
  };
}
