import * as tf from '@tensorflow/tfjs';
import type { CompiledFunction, Engine, Results } from '@dropbp/engine';
import { beforeAll, describe, expect, it } from 'vitest';
import { isTrainable, markTrainable } from '../../trainable.ts';
import { packScope, trainedInputs, unpackScope, type CompiledInputs } from './compiledInputs.ts';
import { compileOnce } from './compileOnce.ts';
import { runWhole } from './runWhole.ts';

beforeAll(() => tf.setBackend('cpu'));

/** An engine that counts what it compiles. */
function countingEngine(): { engine: Engine; count: () => number } {
  let count = 0;
  const engine = {
    compile: () => {
      count++;
      return (() => []) as unknown as CompiledFunction<Results>;
    },
  };
  return { engine: engine as unknown as Engine, count: () => count };
}

describe('compileOnce', () => {
  const make = () => () => [];
  it('compiles once for each combination of objects, in their order, and for each engine', () => {
    const { engine, count } = countingEngine();
    const [a, b, c] = [{}, {}, {}];
    const first = compileOnce(engine, [a, b], make, { name: 'first' });
    expect(compileOnce(engine, [a, b], make, { name: 'first' })).toBe(first);
    expect(count()).toBe(1);
    const others = [[a, c], [b, a], [b, c], [c, b]].map(keys => compileOnce(engine, keys, make, { name: 'other' })); // prettier-ignore
    expect(new Set([first, ...others]).size).toBe(5);
    const another = countingEngine();
    expect(compileOnce(another.engine, [a, b], make, { name: 'first' })).not.toBe(first);
    expect([count(), another.count()]).toEqual([5, 1]);
  });
});

describe('the inputs of a compiled function', () => {
  it('tell by their names what is trained, and give the scope back with its marks', () => {
    const [trained, constant, frozen] = [tf.variable(tf.scalar(1)), tf.scalar(2), tf.variable(tf.scalar(3), false)];
    const inputs: CompiledInputs = { differentiable: {}, frozen: {} };
    packScope(inputs, { 'q.weight': trained, 'frozen:odd': constant, 'k.weight': frozen });
    expect(Object.values(inputs.differentiable)).toEqual([trained]);
    expect(Object.values(inputs.frozen)).toEqual([constant, frozen]);
    expect(trainedInputs({ ...inputs.frozen, ...inputs.differentiable })).toEqual(Object.keys(inputs.differentiable));

    const standIns = [...Object.keys(inputs.differentiable), ...Object.keys(inputs.frozen), 'x'].map(name => [name, tf.scalar(0)] as const); // prettier-ignore
    const scope = unpackScope(Object.fromEntries(standIns));
    expect(Object.keys(scope)).toEqual(['q.weight', 'frozen:odd', 'k.weight']);
    expect(Object.values(scope).map(isTrainable)).toEqual([true, false, false]);
    trained.dispose();
    frozen.dispose();
  });
});

describe('runWhole', () => {
  it('runs operation by operation without an engine, and leaves the results alone behind', async () => {
    const x = markTrainable(tf.tensor1d([1, 2]));
    const before = tf.memory().numTensors;
    const [square, sum]: tf.Tensor[] = runWhole(({ x }) => [tf.square(x!), tf.sum(tf.exp(x!))], { x });
    expect(Array.from(await square!.data())).toEqual([1, 4]);
    expect((await sum!.data())[0]).toBeCloseTo(Math.exp(1) + Math.exp(2), 4);
    expect(tf.memory().numTensors).toBe(before + 2);
  });
});
