import * as tf from '@tensorflow/tfjs';
import { keepSaved } from '../../ops/withGradient.ts';
import { freeTape, withOwnTape } from './ownTape.ts';

/** The backward pass of one run of a function, to be run as often as one likes. */
export interface Pullback {
  /**
   * @param adjoint - the gradient that arrives at the function's result
   * @returns for each input its gradient; undefined where none flows. The caller owns them
   */
  pull(adjoint: tf.Tensor): (tf.Tensor | undefined)[];
  /** Frees what the backward pass needs. */
  dispose(): void;
}

/** A node of tfjs's tape. */
interface TapeNode {
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly outputs: readonly tf.Tensor[];
  readonly saved: readonly tf.Tensor[];
  readonly gradient?: (adjoints: (tf.Tensor | null)[]) => Readonly<Record<string, () => tf.Tensor>>;
}

/** A pullback that shows what it keeps. */
export interface TapePullback extends Pullback {
  /** What the backward pass needs. The same elements may be among them more than once. */
  readonly saved: readonly tf.Tensor[];
}

/**
 * Runs a function once, operation by operation, and keeps its tape: `tf.grads` would run it anew for every adjoint.
 *
 * @param inputs - the tensors that take a gradient
 */
export function tapePullback(run: () => tf.Tensor, inputs: readonly tf.Tensor[]): TapePullback {
  const { result, tape } = withOwnTape(() => {
    try {
      const result = tf.tidy(run);
      return { result, tape: tf.engine().state.activeTape as unknown as TapeNode[] };
    } catch (error) {
      freeTape();
      throw error;
    }
  });
  const nodes = nodesOnTheWay(tape, inputs);
  const saved = tape.flatMap(node => node.saved);
  return {
    saved,
    pull: adjoint =>
      tf.tidy(() => {
        const gradients = new Map<number, tf.Tensor>([[result.id, adjoint]]);
        for (const { node, wanted } of nodes.toReversed()) pullThrough(node, wanted, gradients);
        // The result itself may be an input: what arrives there is the caller's, and it is given a tensor of its own.
        return inputs.map(({ id }) => (gradients.get(id) === adjoint ? adjoint.clone() : gradients.get(id)));
      }),
    dispose() {
      tf.dispose([result, ...saved]);
    },
  };
}

interface NodeOnTheWay {
  readonly node: TapeNode;
  /** Names of the inputs that lead back to an input of the function. */
  readonly wanted: readonly string[];
}

function nodesOnTheWay(tape: readonly TapeNode[], inputs: readonly tf.Tensor[]): NodeOnTheWay[] {
  const reached = new Set(inputs.map(({ id }) => id));
  return tape.flatMap(node => {
    const wanted = Object.keys(node.inputs).filter(name => reached.has(node.inputs[name]!.id));
    if (wanted.length === 0) return [];
    for (const { id } of node.outputs) reached.add(id);
    return [{ node, wanted }];
  });
}

/** Adds what flows back through one operation to the gradients of its inputs, by their ids. */
function pullThrough(node: TapeNode, wanted: readonly string[], gradients: Map<number, tf.Tensor>): void {
  const adjoints = node.outputs.map(({ id }) => gradients.get(id) ?? null);
  if (adjoints.every(adjoint => adjoint === null)) return;
  const made = keepSaved(() => node.gradient!(adjoints));
  for (const name of wanted) {
    const gradient = made[name]!();
    const { id } = node.inputs[name]!;
    const before = gradients.get(id);
    gradients.set(id, before === undefined ? gradient : tf.add(before, gradient));
  }
}
