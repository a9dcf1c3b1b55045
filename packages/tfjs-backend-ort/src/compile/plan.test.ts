import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ortBackend } from '../index.ts';
import { forwardPlan, gradientPlan } from './plan.ts';
import { traceForward, traceGradient, type InputShapes } from './tracedFunction.ts';

type Inputs = Readonly<Record<string, tf.Tensor>>;

beforeAll(() => tf.setBackend('ort'));

const float = (...shape: number[]): InputShapes[string] => ({ shape, dtype: 'float32' });

describe('plans', () => {
  const branch = ({ x, w }: Inputs): tf.Tensor => tf.tanh(tf.matMul(x!, w!));
  const shapes = { x: float(128, 128), w: float(128, 128) };
  const inputs = (): Map<string, tf.Tensor> => {
    const tensor = (seed: number): tf.Tensor => tf.randomNormal([128, 128], 0, 0.1, 'float32', seed);
    return new Map([['input.x', tensor(1)], ['input.w', tensor(2)], ['dy', tensor(3)]]); // prettier-ignore
  };
  const bytes = async (tensor: tf.Tensor): Promise<Float32Array> => (await tensor.data()) as Float32Array;

  it('of results alone leave out nodes that nothing needs, and run for the outputs that are wanted', async () => {
    const fn = (given: Inputs): tf.Tensor[] => {
      tf.sin(given.x!);
      return [branch(given), tf.abs(given.x!)];
    };
    const plan = forwardPlan(ortBackend(), 'fn', traceForward(ortBackend(), fn, shapes));
    expect([plan.isList, plan.forward.operations]).toEqual([true, ['MatMul', 'Tanh', 'Abs']]);
    const [, magnitude] = plan.outputs as [string, string];
    const given = inputs();
    const only = plan.forward.run(given, [magnitude]);
    expect([...only.keys()]).toEqual([magnitude]);
    expect(await bytes(only.get(magnitude)!)).toEqual(await bytes(tf.abs(given.get('input.x')!)));
    const { sessions } = ortBackend().memory();
    plan.forward.unload();
    expect(ortBackend().memory().sessions).toBe(sessions - 1);
    // A backward pass that is still to come loads it for this once.
    expect(plan.forward.run(given).size).toBe(2);
    expect(ortBackend().memory().sessions).toBe(sessions - 1);
  });
  for (const recompute of ['none', 'cheap', 'full'] as const) {
    it(`of gradients say what lies between the passes, and give those of tfjs: ${recompute}`, async () => {
      const traced = traceGradient(ortBackend(), branch, shapes, ['x', 'w']);
      const plan = gradientPlan(ortBackend(), 'branch', traced, recompute);
      expect(plan.savedBytes).toBe(recompute === 'full' ? 0 : 4 * 128 * 128);
      expect(plan.again?.operations).toEqual(recompute === 'full' ? expect.arrayContaining(['MatMul']) : undefined);
      expect(plan.kept).toEqual(expect.arrayContaining(['input.x', 'input.w']));
      // What arrives is read as it is, and no tensor of ones is made for it.
      expect([plan.kept.includes('dy'), plan.backward.inputs.includes('dy'), traced.recording.captured]).toEqual([
        false,
        true,
        [],
      ]);

      const given = inputs();
      const forward = plan.forward.run(given);
      const between = new Map([...given, ...forward]);
      for (const [name, tensor] of plan.again?.run(between) ?? []) between.set(name, tensor);
      const gradients = plan.backward.run(between);
      const [x, w, dy] = [...given.values()] as [tf.Tensor, tf.Tensor, tf.Tensor];
      const expected = tf.grads((x, w) => branch({ x, w }))([x, w], dy);
      for (const [i, name] of plan.gradients.entries()) {
        const difference = tf.max(tf.abs(tf.sub(gradients.get(name)!, expected[i]!)));
        expect((await difference.data())[0]).toBeLessThan(1e-5);
      }
      for (const session of [plan.forward, plan.backward, plan.again]) session?.unload();
    });
  }
});
