import * as tf from '@tensorflow/tfjs';
import { sum } from '@dropbp/basics';

/** Products of two gradients: how far they point the same way, and how long each is. */
export interface GradientProducts {
  /** ⟨whole, partial⟩ */
  readonly both: number;
  /** ⟨whole, whole⟩ */
  readonly whole: number;
  /** ⟨partial, partial⟩ */
  readonly partial: number;
}

/** What an optimizer would divide the gradient of a parameter by: a tensor of its shape, which the caller owns, or nothing yet. */
export type DivisorOf = (name: string, parameter: tf.Tensor) => tf.Tensor | undefined;

type Gradients = ReadonlyMap<string, tf.Tensor>;

/**
 * Products of two gradients in the metric of an optimizer, ⟨a, b⟩ = Σ a · b ÷ divisor, over all parameters that it has a divisor
 * for. Where it has none yet, ⟨a, b⟩ = Σ a · b over all parameters. A gradient that is missing counts as zero.
 *
 * @param whole - by name of the parameter, as `partial`. The caller keeps both
 */
export async function compareGradients(
  whole: Gradients,
  partial: Gradients,
  parameters: Gradients,
  divisorOf: DivisorOf = () => undefined,
): Promise<GradientProducts> {
  const [divided, plain]: [tf.Tensor[], tf.Tensor[]] = [[], []];
  try {
    for (const [name, gradient] of whole) {
      const divisor = divisorOf(name, parameters.get(name)!);
      const products = productsOf(gradient, partial.get(name), divisor);
      divisor?.dispose();
      (divisor === undefined ? plain : divided).push(products);
    }
    const rows = await Promise.all((divided.length > 0 ? divided : plain).map(products => products.data()));
    const [both, ofWhole, ofPartial] = [0, 1, 2].map(part => sum(rows.map(values => sum(partOf(values, part)))));
    return { both: both!, whole: ofWhole!, partial: ofPartial! };
  } finally {
    tf.dispose([...divided, ...plain]);
  }
}

/** The three products, `[3, rows]`: a float32 adds up a row of a parameter, and a double all rows. */
function productsOf(whole: tf.Tensor, partial: tf.Tensor | undefined, divisor: tf.Tensor | undefined): tf.Tensor {
  return tf.tidy(() => {
    const rows = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => {
      const product = tf.mul(a, b);
      const columns = product.shape.at(-1) ?? 1;
      return tf.sum(tf.reshape(product, [product.size / columns, columns]), 1);
    };
    const divide = (gradient: tf.Tensor): tf.Tensor => (divisor === undefined ? gradient : tf.div(gradient, divisor));
    const scaled = divide(whole);
    const ofWhole = rows(whole, scaled);
    if (partial === undefined) return tf.stack([tf.zerosLike(ofWhole), ofWhole, tf.zerosLike(ofWhole)]);
    return tf.stack([rows(partial, scaled), ofWhole, rows(partial, divide(partial))]);
  });
}

function partOf(values: ArrayLike<number>, part: number): number[] {
  const length = values.length / 3;
  return Array.from({ length }, (_, i) => values[part * length + i]!);
}
