import { sizeOf } from '../../graph/shape.ts';
import type { OnnxModel } from '../../onnx/onnxModel.ts';
import { temporaryBytes } from './temporaryBytes.ts';

/** A model whose inputs and outputs all have fewer elements than this runs on one thread: there is nothing to share out. */
const worthThreads = 16_384;

/**
 * What a session may keep between its runs, for what lies between its operations. Every session has an arena of its own, which never
 * gives back, is up to twice as large as what is needed, and serves no other session. Runs without one touch
 * fresh memory: with 30 MiB here a step of SmolLM2-135M on 2,048 tokens took 5 to 8 % longer.
 */
const worthAnArena = 44 * 2 ** 20;

/**
 * How a session on a CPU runs best here, in any interface of onnxruntime-node.
 *
 * @param between - bytes of what lies between the model's operations
 */
export function sessionOptions(model: OnnxModel, threads: number, between = temporaryBytes(model)): object {
  const { inputs, outputs } = model;
  const isLarge = [...inputs, ...outputs].some(({ shape }) => sizeOf(shape) >= worthThreads);
  return {
    // Every session has threads of its own, and there may be hundreds of sessions.
    intraOpNumThreads: isLarge ? threads : 1,
    interOpNumThreads: 1,
    // Patterns are per session and shape; without them a session holds less and is as fast.
    enableMemPattern: false,
    enableCpuMemArena: between <= worthAnArena || changesOneLarge(model),
    extra: {
      // Threads that spin after a run would take the cores from the session that runs next.
      session: { intra_op: { allow_spinning: '0' } },
      // It would join a reshape whose shape is there to wait for another value (kernels/ordering.ts) with its neighbours.
      optimization: { disable_specified_optimizers: 'ReshapeFusion' },
    },
  };
}

/**
 * Whether nearly all that goes in is of the shape of an output: one large tensor that a few rows change, as the head's gradient of the
 * table of tokens. A step has one such session, which runs several times, and a longer sequence makes it no larger.
 */
function changesOneLarge({ inputs, outputs }: OnnxModel): boolean {
  const elements = (of: OnnxModel['inputs']): number => of.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return outputs.some(output => {
    const isLike = ({ shape }: OnnxModel['inputs'][number]): boolean => String(shape) === String(output.shape);
    const others = inputs.filter(input => !isLike(input));
    const isMixed = others.length > 0 && others.length < inputs.length;
    return isMixed && elements(others) <= sizeOf(output.shape) / 64;
  });
}
