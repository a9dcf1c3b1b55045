import * as tf from '@tensorflow/tfjs';
import type { TracedFunction } from '@dropbp/engine';
import { activeEngine } from '../../engine.ts';
import { withGradient } from '../../ops/withGradient.ts';
import { compileOnce } from '../pass/compileOnce.ts';
import { trainedInputs, type CompiledInputs } from '../pass/compiledInputs.ts';
import { isRecording, withoutTape } from '../pass/ownTape.ts';
import { runWhole } from '../pass/runWhole.ts';

/** What the parts of a sum have each of their own. */
export interface SharedOut {
  /** `[n, width]`: the rows of all parts, one part behind the other. */
  readonly rows: tf.Tensor;
  /** How many of them are each part's. */
  readonly sizes: readonly number[];
  /** What its rows are called among the inputs of the function. */
  readonly name: string;
}

/**
 * The sum of a scalar function over several parts. The gradients of a part are computed with its value, added up, and only
 * scaled in the backward pass: nothing of the inside of more than one part ever exists.
 *
 * @param parts - inputs of the function. The differentiable ones are trained tensors, the same in all parts
 * @param keys - what the function follows from: equal keys share what an engine compiles
 * @param own - a further differentiable input. Parts that were cut out of it before would each give back a gradient of its whole size
 */
export function sumWithGradients(
  parts: readonly CompiledInputs[],
  keys: readonly object[],
  fn: TracedFunction,
  own: SharedOut,
): tf.Tensor {
  if (!isRecording()) {
    const values: tf.Tensor[] = [];
    for (const part of withRows(parts, own)) values.push(runPart([value, ...keys], () => fn, part));
    return sum(values);
  }
  return withGradient(
    [own.rows, ...Object.values(parts[0]!.differentiable)],
    save => {
      const values: tf.Tensor[] = [];
      const ofRows: tf.Tensor[] = [];
      let ofShared: tf.Tensor[] = [];
      for (const part of withRows(parts, own)) {
        const [partValue, first, ...others] = runPart([gradients, ...keys], () => withGradients(fn, own.name), part);
        values.push(partValue!);
        ofRows.push(first!);
        ofShared = ofShared.length === 0 ? others : others.map((term, i) => addTo(ofShared[i]!, term));
      }
      save([joinParts(ofRows), ...ofShared]);
      return sum(values);
    },
    (dy, saved) => saved.map(gradient => tf.mul(gradient, dy)),
  );
}

/** Each part with its own rows among its inputs, which are gone when the next one is asked for. */
export function* withRows(
  parts: readonly CompiledInputs[],
  { rows, sizes, name }: SharedOut,
): Generator<CompiledInputs> {
  let start = 0;
  for (const [i, { differentiable, frozen }] of parts.entries()) {
    const places = Int32Array.from({ length: sizes[i]! }, (_, row) => start + row);
    const taken = tf.tidy(() => tf.gather(rows, tf.tensor1d(places, 'int32')));
    yield { differentiable: { [name]: taken, ...differentiable }, frozen };
    taken.dispose();
    start += sizes[i]!;
  }
}

// Tell what is compiled for one function from what is compiled for the other.
const [value, gradients] = [{}, {}];

/** Runs the function of a part, compiled where an engine is active. @param keys - what it follows from */
export function runPart<R extends tf.Tensor | tf.Tensor[]>(
  keys: readonly object[],
  make: () => TracedFunction<R>,
  { differentiable, frozen }: CompiledInputs,
): R {
  const inputs = { ...differentiable, ...frozen };
  const engine = activeEngine();
  return engine === undefined
    ? tf.tidy(() => make()(inputs))
    : compileOnce(engine, keys, make, { name: 'loss' })({}, inputs);
}

/** The function with its gradients by `own` and what is trained: a plain function too. */
function withGradients(fn: TracedFunction, own: string): TracedFunction<tf.Tensor[]> {
  return inputs =>
    withoutTape(() => {
      const by = [own, ...trainedInputs(inputs)].map(name => inputs[name]!);
      const { value, grads } = tf.engine().gradients(() => fn(inputs), by, undefined, true);
      return [value, ...by.map((input, i) => grads[i] ?? tf.zerosLike(input))];
    });
}

function sum(values: readonly tf.Tensor[]): tf.Tensor {
  return values.length === 1 ? values[0]! : tf.addN([...values]);
}

/** The parts one behind the other. Takes them over. */
export function joinParts(parts: tf.Tensor[]): tf.Tensor {
  if (parts.length === 1) return parts[0]!;
  const whole = tf.concat(parts);
  tf.dispose(parts);
  return whole;
}

/** `total + term`, in the place of `total` where an engine can. Takes over both. */
export function addTo(total: tf.Tensor, term: tf.Tensor): tf.Tensor {
  const result = runWhole(plus, { total, term }, { replaces: () => 'total' });
  tf.dispose([total, term]);
  return result;
}

const plus: TracedFunction = ({ total, term }) => tf.add(total!, term!);
