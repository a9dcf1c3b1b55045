import * as tf from '@tensorflow/tfjs';

/** The gradient of a function by tfjs and by central differences, and how far they are apart. */
export interface GradientCheck {
  /**
   * Largest difference of an entry, relative to the largest entry of that input's gradient; infinite where one is NaN. A gradient
   * that is zero but for rounding is taken relative to 0.05.
   */
  readonly worst: number;
  /** Which entry that is. */
  readonly where: string;
}

/** A gradient without a larger entry is zero but for rounding, such as that of a bias of all keys: no softmax changes with it. */
const ROUNDING = 1e-5;
/** What the differences of such an input are compared with: the rounding of `f`, divided by the step, is a small part of it. */
const ROUNDED_DIFFERENCE = 5e-2;
/** An error below which no other step is tried. */
const GOOD = 5e-3;

/**
 * Compares the gradient of `f` with central differences, entry by entry. For small float32 tensors on the cpu backend.
 *
 * @param f - a scalar of the inputs
 * @param inputs - float32 tensors, which take a gradient: variables where an operation asks `isTrainable`
 * @param step - of the difference. @defaultValue 5e-3, where rounding and curvature cost about as much
 * @param entriesPerInput - of a larger input, only its steepest entry and others at even distances. @defaultValue all
 */
export async function gradientCheck(
  f: () => tf.Tensor,
  inputs: readonly tf.Variable[],
  step = 5e-3,
  entriesPerInput: number = Infinity,
): Promise<GradientCheck> {
  const { value, grads } = tf.engine().gradients(f, [...inputs]);
  value.dispose();
  let check: GradientCheck = { worst: 0, where: 'nowhere' };
  for (const [i, input] of inputs.entries()) {
    const exact = Float32Array.from(await grads[i]!.data());
    const start = Float32Array.from(await input.data());
    const evaluate = async (at: number, delta: number): Promise<number> => {
      const moved = start.slice();
      moved[at]! += delta;
      const tensor = tf.tensor(moved, input.shape);
      input.assign(tensor);
      tensor.dispose();
      const result = tf.tidy(f);
      const [number] = await result.data();
      result.dispose();
      return number!;
    };
    const steepest = exact.reduce((max, g) => Math.max(max, Math.abs(g)), 0);
    const largest = steepest < ROUNDING ? ROUNDED_DIFFERENCE : Math.max(1e-3, steepest);
    for (const at of chosenEntries(exact, entriesPerInput)) {
      let error = Infinity;
      // A gradient that is right agrees with one of the steps: at a kink or a sharp bend with the small one, where rounding
      // shows with the large one.
      for (const size of [step, step / 4, step * 4]) {
        const difference = (await evaluate(at, size)) - (await evaluate(at, -size));
        const apart = Math.abs(difference / (2 * size) - exact[at]!) / largest;
        // What is no number is never near: the error stays infinite.
        if (apart < error) error = apart;
        if (error < GOOD) break;
      }
      if (error > check.worst) check = { worst: error, where: `input ${i}, entry ${at}` };
    }
    const restored = tf.tensor(start, input.shape);
    input.assign(restored);
    restored.dispose();
    grads[i]!.dispose();
  }
  return check;
}

function chosenEntries(gradient: Float32Array, count: number): Set<number> {
  if (gradient.length <= count) return new Set(gradient.keys());
  const steepest = gradient.reduce((best, g, i) => (Math.abs(g) > Math.abs(gradient[best]!) ? i : best), 0);
  const others = Array.from({ length: count - 1 }, (_, i) => Math.floor(((i + 0.5) * gradient.length) / (count - 1)));
  return new Set([steepest, ...others]);
}

/** The bytes that the tape holds for the backward pass of `f`, not counting `except`. */
export function savedBytes(f: () => tf.Tensor, inputs: tf.Tensor[], except: readonly tf.Tensor[] = []): number {
  const known = new Set(except.map(tensor => tensor.dataId));
  let bytes = 0;
  const { value, grads } = tf.engine().gradients(
    () => {
      const result = f();
      const tape = tf.engine().state.activeTape as unknown as { saved?: tf.Tensor[] }[];
      for (const saved of tape.flatMap(node => node.saved ?? [])) {
        if (known.has(saved.dataId)) continue;
        known.add(saved.dataId);
        bytes += saved.size * tf.util.bytesPerElement(saved.dtype);
      }
      return result;
    },
    inputs,
    undefined,
    true,
  );
  tf.dispose([value, ...grads]);
  return bytes;
}
