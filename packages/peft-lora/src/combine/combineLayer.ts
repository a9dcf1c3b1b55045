import { Matrix } from 'ml-matrix';
import { combineTensors, type Arithmetic, type ArithmeticOptions } from './combineTensors.ts';
import {
  fromFloat32,
  largestSingular,
  smallSingular,
  thinQr,
  toFloat32,
  type SingularTriplets,
} from '../init/linearAlgebra.ts';
import type { LoraValues } from '../init/initialValues.ts';

/** How adapters are put together: the names are PEFT's. */
export type CombinationType = 'svd' | 'cat' | Arithmetic | `${Exclude<Arithmetic, 'linear'>}_svd`;

/** One adapter's part of a layer. */
export interface CombinedPart extends LoraValues {
  readonly rank: number;
  /** The adapter's weight. */
  readonly weight: number;
  readonly scaling: number;
}

/** Options of {@link combineLayer}. */
export interface CombineLayerOptions extends ArithmeticOptions {
  readonly type: CombinationType;
  /** Of the result. */
  readonly rank: number;
  /** A quantile beyond which entries of the decomposed matrices are cut. */
  readonly svdClamp: number | undefined;
}

/**
 * A and B of the combined layer, of scaling 1.
 *
 * @param parts - at least one, of `inFeatures` and `outFeatures`
 */
export function combineLayer(
  parts: readonly CombinedPart[],
  inFeatures: number,
  outFeatures: number,
  options: CombineLayerOptions,
): LoraValues {
  const { type, rank } = options;
  const shapes = { rank, inFeatures, outFeatures };
  if (type === 'cat') return padParts(stackParts(parts, inFeatures, outFeatures), shapes);
  if (type.endsWith('svd')) return decompose(parts, inFeatures, outFeatures, options);
  // As in PEFT, the root of a weight goes to each of A and B, so that products of different adapters come in.
  const own = parts.map(part => padParts({ a: part.a, b: part.b, rank: part.rank }, shapes));
  const scaled = parts.map(({ weight, scaling }) => weight * scaling);
  const roots = scaled.map(value => Math.sqrt(Math.abs(value)));
  const signed = roots.map((root, i) => (scaled[i]! < 0 ? -root : root));
  const arithmetic = type as Arithmetic;
  return {
    a: combineTensors(own.map(({ a }) => a), signed, arithmetic, options), // prettier-ignore
    b: combineTensors(own.map(({ b }) => b), roots, arithmetic, options), // prettier-ignore
  };
}

interface RankedValues extends LoraValues {
  readonly rank: number;
}

/** The exact sum: all A below each other, all B side by side. */
function stackParts(parts: readonly CombinedPart[], inFeatures: number, outFeatures: number): RankedValues {
  const rank = parts.reduce((sum, part) => sum + part.rank, 0);
  const a = new Float32Array(rank * inFeatures);
  const b = new Float32Array(outFeatures * rank);
  let first = 0;
  for (const part of parts) {
    a.set(part.a.map(value => value * part.weight * part.scaling), first * inFeatures); // prettier-ignore
    for (let row = 0; row < outFeatures; row++) {
      b.set(part.b.subarray(row * part.rank, (row + 1) * part.rank), row * rank + first);
    }
    first += part.rank;
  }
  return { a, b, rank };
}

/** Filled up with zeros to a rank. */
function padParts(
  { a, b, rank: own }: RankedValues,
  {
    rank,
    inFeatures,
    outFeatures,
  }: { readonly rank: number; readonly inFeatures: number; readonly outFeatures: number },
): LoraValues {
  if (own === rank) return { a, b };
  const down = new Float32Array(rank * inFeatures);
  down.set(a);
  const up = new Float32Array(outFeatures * rank);
  for (let row = 0; row < outFeatures; row++) up.set(b.subarray(row * own, (row + 1) * own), row * rank);
  return { a: down, b: up };
}

/** The best approximation of the combined change by a rank. */
function decompose(
  parts: readonly CombinedPart[],
  inFeatures: number,
  outFeatures: number,
  options: CombineLayerOptions,
): LoraValues {
  const { type, rank, svdClamp } = options;
  const count = Math.min(rank, inFeatures, outFeatures);
  const triplets =
    type === 'svd'
      ? ofSum(stackParts(parts, inFeatures, outFeatures), inFeatures, outFeatures, count)
      : largestSingular(ofChanges(parts, inFeatures, outFeatures, type, options), count);
  const b = triplets.left.mulRowVector([...triplets.values]);
  const a = triplets.right.transpose();
  const shapes = { rank, inFeatures, outFeatures };
  const values = { a: toFloat32(a), b: toFloat32(b), rank: a.rows };
  return padParts(svdClamp === undefined ? values : { ...clampValues(values, svdClamp), rank: a.rows }, shapes);
}

/** Of B · A, from decompositions of the two, which are narrow. */
function ofSum({ a, b, rank }: RankedValues, inFeatures: number, outFeatures: number, count: number): SingularTriplets {
  const [down, up] = [fromFloat32(a, rank, inFeatures), fromFloat32(b, outFeatures, rank)];
  if (rank > Math.min(inFeatures, outFeatures)) return largestSingular(up.mmul(down), count);
  const [left, right] = [thinQr(up), thinQr(down.transpose())];
  const core = smallSingular(left.r.mmul(right.r.transpose()));
  const first = Array.from({ length: Math.min(count, rank) }, (_, i) => i);
  return {
    left: left.q.mmul(core.left.subMatrixColumn(first)),
    values: core.values.slice(0, first.length),
    right: right.q.mmul(core.right.subMatrixColumn(first)),
  };
}

/** The changes of the weights, put together as whole matrices `[out, in]`. */
function ofChanges(
  parts: readonly CombinedPart[],
  inFeatures: number,
  outFeatures: number,
  type: CombinationType,
  options: ArithmeticOptions,
): Matrix {
  const changes = parts.map(({ a, b, rank, scaling }) =>
    toFloat32(
      fromFloat32(b, outFeatures, rank)
        .mmul(fromFloat32(a, rank, inFeatures))
        .mul(scaling),
    ),
  );
  const weights = parts.map(({ weight }) => weight);
  const sum = combineTensors(changes, weights, type.slice(0, -'_svd'.length) as Arithmetic, options);
  return fromFloat32(sum, outFeatures, inFeatures);
}

/** Entries cut at plus and minus a quantile of all of them. */
function clampValues({ a, b }: LoraValues, quantile: number): LoraValues {
  const sorted = Float64Array.from([...a, ...b]).sort();
  const at = quantile * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  const limit = low + (high - low) * (at - Math.floor(at));
  const clamp = (value: number): number => Math.min(limit, Math.max(-limit, value));
  return { a: a.map(clamp), b: b.map(clamp) };
}
