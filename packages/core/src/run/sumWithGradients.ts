import * as tf from '@tensorflow/tfjs';
import { activeEngine, type TracedFunction } from '../engine.ts';
import { withGradient } from '../ops/withGradient.ts';
import { compileOnce } from './compileOnce.ts';
import { trainedInputs, type CompiledInputs } from './compiledInputs.ts';
import { isRecording, withoutTape } from './ownTape.ts';
import { runWhole } from './runWhole.ts';

/**
 * The sum of a scalar function over several parts. The gradients of a part are computed with its value, added up, and only
 * scaled in the backward pass: nothing of the inside of more than one part ever exists.
 *
 * @param parts - inputs of the function. The differentiable ones are trained tensors, the same in all parts, but for one
 * @param keys - what the function follows from: equal keys share what an engine compiles
 * @param own - the name of the differentiable input that each part has of its own
 */
export function sumWithGradients(
  parts: readonly CompiledInputs[],
  keys: readonly object[],
  fn: TracedFunction,
  own: string,
): tf.Tensor {
  if (!isRecording()) return sum(parts.map(part => run([value, ...keys], () => fn, part)));
  const shared = Object.entries(parts[0]!.differentiable).flatMap(([name, tensor]) => (name === own ? [] : [tensor]));
  return withGradient(
    [...parts.map(part => part.differentiable[own]!), ...shared],
    save => {
      const values: tf.Tensor[] = [];
      const ofOwn: tf.Tensor[] = [];
      let ofShared: tf.Tensor[] = [];
      for (const part of parts) {
        const [partValue, first, ...others] = run([gradients, ...keys], () => withGradients(fn, own), part);
        values.push(partValue!);
        ofOwn.push(first!);
        ofShared = ofShared.length === 0 ? others : others.map((term, i) => addTo(ofShared[i]!, term));
      }
      save([...ofOwn, ...ofShared]);
      return sum(values);
    },
    (dy, saved) => saved.map(gradient => tf.mul(gradient, dy)),
  );
}

// Tell what is compiled for one function from what is compiled for the other.
const [value, gradients] = [{}, {}];

function run<R extends tf.Tensor | tf.Tensor[]>(
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

/** `total + term`, in the place of `total` where an engine can. Takes over both. */
function addTo(total: tf.Tensor, term: tf.Tensor): tf.Tensor {
  const result = runWhole(plus, { total, term }, { replaces: () => 'total' });
  tf.dispose([total, term]);
  return result;
}

const plus: TracedFunction = ({ total, term }) => tf.add(total!, term!);
