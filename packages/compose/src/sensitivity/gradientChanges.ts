import * as tf from '@tensorflow/tfjs';
import { runWhole, type TracedFunction } from '@dropbp/core';
import { sensitivityFromNorms } from '@dropbp/dropbp';

/** The key of gradients from which nothing is missing. Other keys are branches: what is missing without them. */
export const WHOLE = -1;

/** Gradients by the names of the parameters. */
export type NamedGradients = ReadonlyMap<string, tf.Tensor>;

/** How the norms of gradients change without each branch. It reads the gradients that it is given, and leaves them be. */
export interface GradientChanges {
  /** Gradients with every branch kept. */
  whole(gradients: NamedGradients): void;
  /**
   * What is missing of them without a branch.
   *
   * @param whole - those with every branch kept, of the same parameters
   */
  missing(branch: number, whole: NamedGradients, missing: NamedGradients): void;
  /** The same for parameters that get no gradient at all without a branch. */
  allMissing(branch: number, names: readonly string[]): void;
  /** Waits for the device. */
  readBack(): Promise<void>;
  /** The sensitivity of a branch, of what has been settled; NaN where a gradient is not finite. */
  sensitivity(branch: number): number;
  dispose(): void;
}

export function gradientChanges(): GradientChanges {
  const norms = new Map<string, number>();
  const changes = new Map<number, Map<string, number>>();
  const unread: { readonly sums?: tf.Tensor; readonly take: (values: ArrayLike<number>) => void }[] = [];

  const setChange = (branch: number, name: string, change: number): void => {
    const ofBranch = changes.get(branch) ?? new Map<string, number>();
    changes.set(branch, ofBranch.set(name, change));
  };
  return {
    whole(gradients) {
      if (gradients.size === 0) return;
      const take = (squares: ArrayLike<number>): void =>
        [...gradients.keys()].forEach((name, i) => norms.set(name, Math.sqrt(squares[i]!)));
      const inputs = [...gradients.values()].map((gradient, i) => [`${WHOLE_OF}${i}`, gradient]);
      unread.push({ sums: runWhole(squareSums, Object.fromEntries(inputs) as Record<string, tf.Tensor>), take });
    },
    missing(branch, whole, missing) {
      const names = [...missing.keys()];
      if (names.length === 0) return;
      const inputs = names.flatMap((name, i) => [
        [`${WHOLE_OF}${i}`, whole.get(name)!],
        [`${MISSING_OF}${i}`, missing.get(name)!],
      ]);
      unread.push({
        sums: runWhole(changeSums, Object.fromEntries(inputs) as Record<string, tf.Tensor>),
        take: sums =>
          names.forEach((name, i) => {
            const both = norms.get(name)! + Math.sqrt(sums[2 * i + 1]!);
            setChange(branch, name, both === 0 ? 0 : sums[2 * i]! / both);
          }),
      });
    },
    allMissing(branch, names) {
      unread.push({ take: () => names.forEach(name => setChange(branch, name, norms.get(name)!)) });
    },
    async readBack() {
      for (const { sums, take } of unread.splice(0)) {
        take((await sums?.data().finally(() => sums.dispose())) ?? []);
      }
    },
    sensitivity(branch) {
      const ofBranch = changes.get(branch) ?? new Map<string, number>();
      const base = new Map([...ofBranch.keys()].map(name => [name, norms.get(name)!]));
      // Where nearly all is missing, the difference may round to below zero.
      const dropped = new Map([...ofBranch].map(([name, change]) => [name, Math.max(0, base.get(name)! - change)]));
      const isFinite = [...base.values(), ...dropped.values()].every(Number.isFinite);
      return isFinite ? sensitivityFromNorms({ base, dropped }) : NaN;
    },
    dispose() {
      for (const { sums } of unread.splice(0)) sums?.dispose();
    },
  };
}

// Followed by numbers, not names: what an engine compiles for the branch of one layer is then that of all.
const WHOLE_OF = 'whole:';
const MISSING_OF = 'missing:';

/** Σ g² of each gradient. */
const squareSums: TracedFunction = gradients =>
  tf.stack(Object.values(gradients).map(gradient => tf.sum(tf.square(gradient))));

/**
 * Σ δ·(2g − δ) and Σ (g − δ)² of each gradient g and what is missing of it, δ. The former over ‖g‖ + ‖g − δ‖ is
 * ‖g‖ − ‖g − δ‖, with no digit lost where the two are nearly the same.
 */
const changeSums: TracedFunction = inputs => {
  const pairs = Object.keys(inputs).length / 2;
  return tf.stack(
    Array.from({ length: pairs }).flatMap((_, i) => {
      const [whole, missing] = [inputs[`${WHOLE_OF}${i}`]!, inputs[`${MISSING_OF}${i}`]!];
      const rest = tf.sub(whole, missing);
      return [tf.sum(tf.mul(missing, tf.add(whole, rest))), tf.sum(tf.square(rest))];
    }),
  );
};
