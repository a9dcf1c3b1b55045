import type { Checkpoint } from '@dropbp/safetensors';
import { nodeModule, problem } from '@dropbp/basics';

/** What a configuration may ask for at most, before memory or time is taken for it. */
export interface ModelLimits {
  /** Layers. Each takes an entry for all of its modules. */
  readonly layers: number;
  /** Values in a head, for each two of which a frequency is kept. */
  readonly headSize: number;
  /** Experts of a layer. Each may have tensors of its own. */
  readonly experts: number;
  /** Why there are no more, for messages: `'the checkpoint has 21 tensors'`. */
  readonly reason: string;
}

/** For a model without a checkpoint: the deepest models that are known have some 1,000 layers. */
export const plainLimits: ModelLimits = {
  layers: 10_000,
  headSize: 2 ** 16,
  experts: 2 ** 16,
  reason: 'no model of so many is known',
};

/** What the tensors of a checkpoint bear out. A layer has several, a projection is as wide as a head or wider, and a router has a row for each expert. */
export function limitsOf({ tensors }: Checkpoint): ModelLimits {
  let widest = 1;
  for (const { shape } of tensors.values()) for (const size of shape) widest = Math.max(widest, size);
  return {
    layers: Math.min(plainLimits.layers, tensors.size),
    headSize: Math.min(plainLimits.headSize, widest),
    experts: Math.min(plainLimits.experts, widest),
    reason: `the checkpoint has ${tensors.size} tensors, up to ${widest} wide`,
  };
}

/** Elements of one tensor: tfjs counts them in 32 bits. */
const MOST_ELEMENTS = 2 ** 31 - 1;
/** Where nobody says how much memory there is: 16 GiB. */
const USUAL_MEMORY_BYTES = 2 ** 34;

/**
 * Compares the weights of a model with the memory, before any of it is taken.
 *
 * @param shapes - of the weights by name, in float32
 * @throws Problem if they cannot fit
 */
export function checkFits(shapes: ReadonlyMap<string, readonly number[]>): void {
  let elements = 0;
  for (const [name, shape] of shapes) {
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    if (size > MOST_ELEMENTS) {
      throw problem('models', {
        what: `the weight '${name}' is too large for one tensor`,
        got: shape,
        expected: `at most ${MOST_ELEMENTS} values`,
        fix: 'look at the sizes in config.json',
      });
    }
    elements += size;
  }
  const memoryBytes = availableBytes();
  if (4 * elements <= memoryBytes) return;
  const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(3)} GiB`;
  throw problem('models', {
    what: `a model of these sizes does not fit into memory: its ${elements} weights take ${gibibytes(4 * elements)}`,
    expected: `at most the ${gibibytes(memoryBytes)} of this machine`,
    fix: 'make the vocabulary, the width or the number of layers smaller',
  });
}

function availableBytes(): number {
  const host = (globalThis as { process?: Partial<NodeJS.Process> }).process;
  if (host?.getBuiltinModule === undefined) return USUAL_MEMORY_BYTES;
  const all = nodeModule('models', 'node:os').totalmem();
  const allowed = host.constrainedMemory?.() ?? 0; // 0: unconstrained, or not known
  return allowed > 0 ? Math.min(all, allowed) : all;
}
