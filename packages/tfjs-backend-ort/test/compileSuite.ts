import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { compile, type CompiledFunction, type CompileOptions, ortBackend, type Traceable } from '../src/index.ts';
import { attention, attentionInputs, drawer, mlp, mlpInputs, type Named, tiny } from './llamaBranch.ts';

interface Numbers {
  readonly shape: number[];
  readonly values: number[];
}

const numbers = (tensors: tf.Tensor[]): Promise<Numbers[]> =>
  Promise.all(tensors.map(async tensor => ({ shape: tensor.shape, values: [...(await tensor.data())] })));

/** Equal to 1e-5 of the largest number of each tensor. */
function expectClose(actual: readonly Numbers[], expected: readonly Numbers[], tolerance = 1e-5): void {
  expect(actual.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
  expected.forEach(({ values }, k) => {
    const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-6);
    const worst = values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - actual[k]!.values[i]!)), 0);
    expect(worst / scale, `tensor ${k}`).toBeLessThanOrEqual(tolerance);
  });
}

type Call = (differentiable: Named, frozen: Named) => tf.Tensor;

/** The value of a call without and with a tape, and the gradients of Σ y·dy by all differentiable inputs. */
async function valueAndGradients(call: Call, differentiable: Named, frozen: Named): Promise<Numbers[]> {
  const names = Object.keys(differentiable);
  let taped: tf.Tensor | undefined;
  const gradients = tf.grads((...x: tf.Tensor[]) => {
    taped = tf.keep(call(Object.fromEntries(names.map((name, i) => [name, x[i]!])), frozen));
    return tf.sum(tf.mul(taped, drawer(99)(taped.shape)));
  })(Object.values(differentiable));
  return numbers([call(differentiable, frozen), taped!, ...gradients]);
}

const plain =
  (fn: Traceable): Call =>
  (differentiable, frozen) =>
    fn({ ...differentiable, ...frozen }) as tf.Tensor;

/** A compiled function of one result. */
function compiled(fn: Traceable, options?: CompileOptions): Call & CompiledFunction {
  return compile(fn, options) as Call & CompiledFunction;
}

async function onCpu<T>(run: () => Promise<T>): Promise<T> {
  await tf.setBackend('cpu');
  const result = await run();
  await tf.setBackend('ort');
  return result;
}

/** What a compiled function may not leave behind. */
function held(): object {
  const { numTensors, numDataBuffers } = tf.memory();
  const { usedBytes, sessions } = ortBackend().memory();
  return { numTensors, numDataBuffers, usedBytes, sessions, dataIds: ortBackend().numDataIds() };
}

/** Runs `compile` against plain tfjs on cpu, and counts what it holds. */
export function compileSuite(device: string): void {
  process.env.DROPBP_ORT_DEVICE = device;
  beforeEach(() => tf.setBackend('ort'));
  afterAll(() => tf.setBackend('cpu'));

  describe('a compiled transformer branch', () => {
    const options: CompileOptions[] = [{}, { recompute: 'none' }, { recompute: 'full' }];
    const sizes = [tiny, { ...tiny, batch: 3 }, { ...tiny, time: 40, hidden: 64, inner: 128 }];

    it.each(options)('gives the values and gradients of plain tfjs on cpu, %o', async option => {
      for (const size of sizes) {
        const branches = [
          [attention(size), () => attentionInputs(size, 3)],
          [mlp, () => mlpInputs(size, 5)],
        ] as const;
        for (const [fn, make] of branches) {
          const run = (call: Call) => async (): Promise<Numbers[]> => {
            const { x, lora, frozen } = make();
            return [
              ...(await valueAndGradients(call, { x, ...lora }, frozen)),
              ...(await valueAndGradients(call, lora, { x, ...frozen })),
            ];
          };
          expectClose(await run(compiled(fn, option))(), await onCpu(run(plain(fn))));
        }
      }
    });

    it('keeps less the more it recomputes, and runs the same forward pass', () => {
      const size = { ...tiny, time: 80, hidden: 64, inner: 128 };
      const saved = (['none', 'cheap', 'full'] as const).map(recompute => {
        const branch = compiled(mlp, { recompute });
        const { x, lora, frozen } = mlpInputs(size, 5);
        tf.grads((...w: tf.Tensor[]) => tf.sum(branch({ x: w[0]!, 'up.A': w[1]!, 'up.B': w[2]! }, frozen)))([
          x,
          ...Object.values(lora),
        ]);
        const [report] = branch.report();
        branch.dispose();
        return report!.savedBytes;
      });
      expect(saved[0]).toBeGreaterThan(saved[1]!);
      expect(saved[1]).toBeGreaterThan(saved[2]!);
      // Small values are kept all the same: one number a row, and LoRA's inner product.
      expect(saved[2]).toBeLessThan(2048);
    });

    it('computes no gradient of frozen inputs', () => {
      const branch = compiled(mlp);
      const { x, lora, frozen } = mlpInputs(tiny, 5);
      const run = (differentiable: Named, others: Named): void =>
        tf.dispose(
          tf.grads((...w: tf.Tensor[]) =>
            tf.sum(branch(Object.fromEntries(Object.keys(differentiable).map((name, i) => [name, w[i]!])), others)),
          )(Object.values(differentiable)),
        );
      run({ x, ...lora }, frozen);
      run(lora, { x, ...frozen });
      run({ x, ...lora, ...frozen }, {});
      const [withX, without, all] = branch.report().map(({ nodes }) => nodes.backward!);
      expect(without).toBeLessThan(withX!);
      expect(all).toBeGreaterThan(withX!);
    });
  });

  describe('sessions', () => {
    it('are shared by layers of equal structure, whose weights and scalars differ', async () => {
      const call = compiled(attention(tiny));
      ortBackend().trim();
      const sessions = ortBackend().memory().sessions;
      const run = (branch: Call) => async (): Promise<Numbers[]> => {
        const results: Numbers[] = [];
        for (let layer = 0; layer < 4; layer++) {
          const { x, lora, frozen } = attentionInputs(tiny, 10 + layer, 1 + layer);
          results.push(...(await valueAndGradients(branch, { x, ...lora }, frozen)));
        }
        return results;
      };
      const actual = await run(call)();
      expectClose(actual, await onCpu(run(plain(attention(tiny)))));
      expect(call.signatures).toBe(1);
      ortBackend().trim();
      // Forward alone, forward and save, backward.
      expect(ortBackend().memory().sessions).toBe(sessions + 3);
      call.dispose();
      expect(ortBackend().memory().sessions).toBe(sessions);
    });
    it('are one signature per set of shapes, types and differentiable inputs', () => {
      const call = compiled(({ x, y }) => tf.mul(x!, y!));
      const a = tf.ones([2]);
      call({ x: a }, { y: a });
      call({ x: a }, { y: tf.ones([2]) });
      expect(call.signatures).toBe(1);
      call({ x: a, y: a });
      call({ x: a }, { y: tf.ones([1]) });
      call({}, { x: tf.ones([2], 'int32'), y: tf.ones([2], 'int32') });
      expect(call.signatures).toBe(4);
      call.dispose();
      expect(call.signatures).toBe(0);
      expect(() => call({ x: a }, { y: a })).toThrow('was disposed; compile it again');
    });
    it('without a tape are the forward pass alone', () => {
      const call = compiled(({ x }) => tf.square(x!), { name: 'square' });
      call({ x: tf.ones([3]) });
      expect(call.report()[0]!.nodes).toEqual({ forward: 1 });
      tf.grad(x => tf.sum(call({ x }, {})))(tf.ones([3]));
      expect(Object.keys(call.report()[0]!.nodes)).toEqual(['forward', 'forwardSaving', 'backward']);
    });
  });

  describe('inputs and results', () => {
    it('may be integers and truth values', async () => {
      const fn: Traceable = ({ table, ids, keep }) => tf.where(keep!, tf.gather(table!, ids as tf.Tensor1D), 0);
      const make = (): [Named, Named] => [
        { table: drawer(1)([5, 3]) },
        { ids: tf.tensor([4, 0, 4], [3], 'int32'), keep: tf.tensor([1, 0, 1], [3, 1], 'bool') },
      ];
      expectClose(
        await valueAndGradients(compiled(fn), ...make()),
        await onCpu(() => valueAndGradients(plain(fn), ...make())),
      );
    });
    it('may be several: the gradient flows through the first', async () => {
      const call = compile(({ x, w }) => {
        const y = tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D);
        return [tf.relu(y), y, tf.argMax(y, 1), x!];
      });
      const x = drawer(1)([3, 4]);
      const w = drawer(2)([4, 2]);
      const direct = call({}, { x, w });
      expect(direct.map(({ shape, dtype }) => [shape, dtype])).toEqual([[[3, 2], 'float32'], [[3, 2], 'float32'], [[3], 'int32'], [[3, 4], 'float32']]); // prettier-ignore
      let taped: tf.Tensor[] = [];
      const gradient = tf.grad(w => {
        taped = call({ w }, { x }).map((y, i) => (i === 0 ? y : tf.keep(y)));
        return tf.sum(tf.add(taped[0]!, taped[1]!));
      })(w);
      const expected = tf.grad(w => tf.sum(tf.relu(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D))))(w);
      expectClose(await numbers([gradient]), await numbers([expected]));
      expectClose(await numbers(taped.slice(1)), await numbers(direct.slice(1)));
    });
    it('may be an input itself, the same tensor twice, or a constant', async () => {
      const call = compile(({ x }) => {
        const y = tf.neg(x!);
        return [x!, y, y, tf.ones([2])];
      });
      const x = tf.tensor([1, 2]);
      const values = async (): Promise<number[][]> => Promise.all(call({ x }).map(async t => [...(await t.data())]));
      expect(await values()).toEqual([[1, 2], [-1, -2], [-1, -2], [1, 1]]); // prettier-ignore
      const { grads } = tf.valueAndGrads((x: tf.Tensor) => tf.sum(tf.mul(call({ x })[0]!, [3, 5])))([x]);
      expect([...(await grads[0]!.data())]).toEqual([3, 5]);
    });
    it('that do not matter have a gradient of zeros', async () => {
      const call = compiled(({ x }) => tf.square(x!));
      const grads = tf.grads((x: tf.Tensor, y: tf.Tensor) => tf.sum(call({ x, y }, {})))([tf.ones([2]), tf.ones([3])]);
      expect(await numbers(grads)).toEqual([{ shape: [2], values: [2, 2] }, { shape: [3], values: [0, 0, 0] }]); // prettier-ignore
    });
    it('are refused where they make no sense', () => {
      const call = compiled(({ x }) => tf.square(x!), { name: 'square' });
      const whole = tf.ones([2], 'int32');
      expect(() => call({ x: whole }, {})).toThrow(
        '[@dropbp/tfjs-backend-ort] the differentiable input \'x\' of square has no gradient; got "int32"; expected float32; pass it among the frozen inputs.',
      );
      expect(() => call({ x: tf.ones([1]) }, { x: whole })).toThrow(
        "the input 'x' of square is given as differentiable and as frozen",
      );
      expect(() => call({}, { x: tf.tensor(['a']) })).toThrow('the input \'x\' of square is not numbers; got "string"');
      expect(() => compile(() => tf.ones([1]), { fused: true } as CompileOptions)).toThrow(
        "compile() does not know the option 'fused'",
      );
      expect(() => compile(() => tf.ones([1]), { recompute: 'all' } as unknown as CompileOptions)).toThrow(
        'recompute is not usable; got "all"',
      );
    });
  });

  describe('what a traced function may hold', () => {
    it('customGrad: its own gradient is used', async () => {
      const doubled = tf.customGrad((x, save) => {
        (save as tf.GradSaveFunc)([x as tf.Tensor]);
        return {
          value: tf.mul(x as tf.Tensor, 2),
          gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(tf.mul(dy, 10), saved[0]!),
        };
      });
      const call = compiled(({ x }) => doubled(tf.exp(x!)));
      const x = tf.tensor([0, 1]);
      const gradient = tf.grad(x => tf.sum(call({ x }, {})))(x);
      expectClose(await numbers([gradient]), [{ shape: [2], values: [10, 10 * Math.E ** 2] }]);
    });
    it('a compiled function: it becomes part of the outer one', async () => {
      const inner = compiled(({ x }) => tf.square(x!));
      const outer = compiled(({ x }) => tf.sin(inner({ x: tf.exp(x!) }, {})));
      const x = tf.tensor([0.1, 0.2]);
      const run = (square: (x: tf.Tensor) => tf.Tensor, call?: Call) =>
        tf.valueAndGrads((x: tf.Tensor) => tf.sum(call ? call({ x }, {}) : tf.sin(square(tf.exp(x)))))([x]);
      const actual = run(tf.square, outer);
      const expected = run(tf.square);
      expectClose(await numbers([actual.value, ...actual.grads]), await numbers([expected.value, ...expected.grads]));
      expect(inner.signatures).toBe(0);
    });
    it('constants from outside, small and large, which it keeps', async () => {
      const large = drawer(1)([100]);
      const call = compiled(({ x }) => tf.add(tf.mul(x!, tf.add(large, 1)), tf.add(large, tf.tensor([1]))));
      const factors = Array.from(await tf.add(large, 1).data());
      const sumOfFactors = factors.reduce((sum, factor) => sum + factor, 0);
      const expected = await numbers([tf.add(tf.mul(3, tf.add(large, 1)), tf.add(large, 1))]);
      const before = tf.memory();
      const x = tf.scalar(3);
      const gradient = tf.grad((x: tf.Tensor) => {
        const y = tf.sum(call({ x }, {}));
        large.dispose();
        return y;
      })(x);
      const y = call({ x }, {});
      expectClose(await numbers([y]), expected);
      expect((await gradient.data())[0]).toBeCloseTo(sumOfFactors, 4);
      tf.dispose([x, y, gradient]);
      // They are the function's, not among the tensors of whoever calls it.
      expect(tf.memory().numTensors).toBe(before.numTensors - 1);
      expect(tf.memory().numDataBuffers).toBeGreaterThan(before.numDataBuffers - 1);
      call.dispose();
      expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers - 1);
    });
    it('an order of computation', async () => {
      const call = compiled(({ x, y }) => {
        const slow = tf.matMul(y as tf.Tensor2D, y as tf.Tensor2D);
        const row = ortBackend().after(tf.reshape(x!, [1, 2]), slow, tf.sum(slow));
        return tf.reshape(row, [2, 1]);
      });
      const y = tf.fill([2, 2], NaN);
      const { value, grads } = tf.valueAndGrads((x: tf.Tensor) => tf.sum(call({ x }, { y })))([tf.tensor([1, 2])]);
      expect(await numbers([value, ...grads])).toEqual([{ shape: [], values: [3] }, { shape: [2], values: [1, 1] }]); // prettier-ignore
      expect(call.report()[0]!.nodes.forwardSaving).toBeGreaterThan(1);
      expect([...(await ortBackend().after(y, y).data())]).toEqual([NaN, NaN, NaN, NaN]);
    });
    it('no values: they are not there yet', () => {
      const x = tf.ones([2]);
      expect(() => compile(({ x }) => (x!.dataSync()[0]! > 0 ? x! : tf.neg(x!)))({ x })).toThrow(
        '[@dropbp/tfjs-backend-ort] a function inside compile() reads the values of a tensor that it computes; while it is traced, there are none; choose by tf.where instead of if, or read the tensor outside the compiled function.',
      );
    });
    it('no variables from outside', () => {
      const w = tf.variable(tf.ones([2]), true, 'outside');
      expect(() => compile(({ x }) => tf.mul(x!, w))({ x: tf.ones([2]) })).toThrow(
        "reads the variable 'outside' (in Multiply) from outside",
      );
      expect(() => compile(({ x }) => tf.mul(x!, tf.exp(w)))({ x: tf.ones([2]) })).toThrow(
        "reads the variable 'outside' (in Exp) from outside",
      );
      w.dispose();
    });
    it('no random numbers', () => {
      expect(() => compile(({ x }) => tf.dropout(x!, 0.5))({ x: tf.ones([2]) })).toThrow(
        'draws random numbers, which would be the same in every call',
      );
      expect(Math.random()).not.toBe(Math.random());
    });
    it('no kernel that ONNX Runtime does not have', () => {
      const call = compile(({ x }) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'));
      expect(() => call({ x: tf.ones([1, 4, 4, 1]) })).toThrow(
        'calls the kernel MaxPool, which ONNX Runtime does not have for these inputs; got ["float32[1,4,4,1]"]',
      );
    });
    it('no result but tensors', () => {
      expect(() => compile((() => 3) as unknown as Traceable)({})).toThrow('returned no tensors; got "number"');
      expect(() => compile((() => Promise.resolve(tf.ones([1]))) as unknown as Traceable)({})).toThrow(
        'got "a promise"; expected a tensor or a list of tensors; compile a synchronous function',
      );
    });
    it('and its tensors stay inside', () => {
      let escaped: tf.Tensor | undefined;
      const call = compile(({ x }) => {
        escaped = tf.keep(tf.exp(x!));
        return tf.neg(escaped);
      });
      call({ x: tf.ones([2]) });
      expect(() => tf.neg(escaped!)).toThrow(
        'a tensor made inside a compiled function is used outside it; return it from the function',
      );
      expect(() => compile(({ x }) => tf.add(x!, escaped!))({ x: tf.ones([2]) })).toThrow('is used outside it');
      escaped!.dispose();
    });
    it('leaves tapes, kernels and scopes as they were when it fails', async () => {
      const failing = compile(() => {
        throw new Error('mine');
      });
      const before = held();
      const gradient = tf.grad(x => {
        expect(() => failing({ x })).toThrow('mine');
        return tf.square(x);
      });
      const x = tf.tensor([3]);
      const y = gradient(x);
      expect([...(await y.data())]).toEqual([6]);
      tf.dispose([x, y]);
      expect(ortBackend().recording).toBeUndefined();
      expect(tf.memory().numTensors).toBe((before as { numTensors: number }).numTensors);
    });
  });

  it('gives loss and gradients in one session where the function takes them itself', async () => {
    const loss = (h: tf.Tensor, w: tf.Tensor): tf.Scalar => {
      const logits = tf.matMul(h as tf.Tensor2D, w as tf.Tensor2D, false, true);
      return tf.neg(tf.sum(tf.logSoftmax(logits)));
    };
    const both: Traceable<tf.Tensor[]> = ({ h, w }) => {
      const { value, grads } = tf.valueAndGrads(loss)([h!, w!]);
      return [value, ...grads];
    };
    const make = (): Named => ({ h: drawer(1)([5, 4]), w: drawer(2)([7, 4]) });
    const call = compile(both);
    expectClose(await numbers(call({}, make())), await onCpu(() => numbers(both(make()))));
    expect(Object.keys(call.report()[0]!.nodes)).toEqual(['forward']);
    call.dispose();
  });

  describe('memory', () => {
    let lora: Named;
    let frozen: Named;
    beforeAll(async () => {
      await tf.setBackend('ort');
      ({ lora, frozen } = mlpInputs(tiny, 5));
    });
    const branch = compiled(mlp);
    const through = (x: tf.Tensor): tf.Tensor => tf.add(x, branch({ x, ...lora }, frozen));
    const input = (): tf.Tensor => drawer(3)([tiny.batch, tiny.time, tiny.hidden]);

    it('is back to where it was after a forward and a backward pass in a tidy', () => {
      const step = (): void => tf.tidy(() => void tf.grad(x => tf.sum(through(through(x))))(input()));
      step();
      const before = held();
      step();
      expect(held()).toEqual(before);
    });
    it('is freed during the backward pass, branch by branch', () => {
      const used: number[] = [];
      const watch = tf.customGrad(x => ({
        value: tf.clone(x as tf.Tensor),
        gradFunc: (dy: tf.Tensor) => {
          used.push(ortBackend().memory().usedBytes);
          return tf.clone(dy);
        },
      }));
      tf.tidy(() => void tf.grad(x => tf.sum(through(watch(through(watch(through(watch(through(x)))))))))(input()));
      expect(used).toHaveLength(3);
      expect(used[1]).toBeLessThan(used[0]!);
      expect(used[2]).toBeLessThan(used[1]!);
    });
    it('keeps frozen inputs for the backward pass though a tidy of the caller disposes them', async () => {
      const scaled = compiled(({ x, s }) => tf.mul(tf.square(x!), s!));
      const gradient = tf.grad(x =>
        tf.sum(
          tf.tidy(() => {
            const s = tf.add(tf.tensor([1, 2, 3]), 1);
            return scaled({ x }, { s });
          }),
        ),
      )(tf.ones([3]));
      expect([...(await gradient.data())]).toEqual([4, 6, 8]);
    });
    it('does not leak when the backward pass never comes', () => {
      const forwardOnly = (): void => {
        tf.tidy(() => {
          const gradient = tf.grad(x => {
            through(x);
            return tf.sum(tf.square(x));
          });
          gradient(input());
        });
      };
      forwardOnly();
      const before = held();
      for (let i = 0; i < 5; i++) forwardOnly();
      expect(held()).toEqual(before);
    });
    it('does not grow over 1,000 steps', () => {
      const step = (): void => tf.tidy(() => void tf.grad(x => tf.sum(through(x)))(input()));
      for (let i = 0; i < 3; i++) step();
      const before = { ...held(), memory: ortBackend().memory(), signatures: branch.signatures };
      for (let i = 0; i < 1000; i++) step();
      expect({ ...held(), memory: ortBackend().memory(), signatures: branch.signatures }).toEqual(before);
    });
    it('is not read by the engine: no step waits for the device', () => {
      const readSync = vi.spyOn(ortBackend().store, 'readSync');
      const fresh = compiled(mlp);
      tf.tidy(() => void tf.grad(x => tf.sum(fresh({ x, ...lora }, frozen)))(input()));
      expect(readSync).not.toHaveBeenCalled();
      readSync.mockRestore();
    });
    it('of a function that was disposed before its backward pass is freed after it', async () => {
      const early = compiled(({ x }) => tf.exp(tf.sin(x!)));
      const sessions = ortBackend().memory().sessions;
      const gradient = tf.grad(x => {
        const y = tf.sum(early({ x }, {}));
        early.dispose();
        return y;
      })(tf.tensor([0.5]));
      expect((await gradient.data())[0]).toBeCloseTo(Math.cos(0.5) * Math.exp(Math.sin(0.5)), 5);
      gradient.dispose();
      ortBackend().trim();
      expect(ortBackend().memory().sessions).toBeLessThanOrEqual(sessions);
    });
    it('of a function that nobody holds any more is freed', async () => {
      setFlagsFromString('--expose-gc');
      const collectGarbage = runInNewContext('gc') as () => void;
      const sessions = (): number => {
        collectGarbage();
        ortBackend().trim();
        return ortBackend().memory().sessions;
      };
      const large = drawer(1)([100]);
      const x = tf.tensor([1]);
      const kept = compiled(({ x }) => tf.sub(x!, tf.exp(large)));
      tf.dispose(kept({ x }, {}));
      const callOnce = (): void => compiled(({ x }) => tf.add(x!, tf.exp(large)))({ x }, {}).dispose();
      // Functions of the tests before are freed too, some time.
      let least = Infinity;
      await vi.waitFor(() => {
        const now = sessions();
        const isLess = now < least;
        least = now;
        expect(isLess).toBe(false);
      });
      const before = held();
      callOnce();
      expect(held()).not.toEqual(before);
      await vi.waitFor(() => {
        sessions();
        expect(held()).toEqual(before);
      });
      tf.dispose([large, x]);
    });
  });

  describe('replaces', () => {
    /** A moving mean, and the value that moves with it. */
    const move: Traceable<tf.Tensor[]> = ({ value, mean, gradient, rate }) => {
      const next = tf.add(tf.mul(mean!, 0.5), tf.mul(gradient!, rate!));
      return [tf.sub(value!, tf.sqrt(tf.square(next))), next];
    };
    const targets = ['value', 'mean'];
    const compiledMove = compile(move, { replaces: i => targets[i]! });
    /** Tensors whose elements nobody else has. */
    const inputs = (shape: number[]): Named =>
      tf.tidy(() => {
        const draw = drawer(7);
        const own = (): tf.Tensor => tf.add(draw(shape), 1);
        return { value: own(), mean: own(), gradient: own(), rate: tf.scalar(0.25) };
      });

    it.each([[[]], [[3, 5]], [[2 ** 19 + 5]], [[2, 2 ** 19]]])('computes the same: %j', async shape => {
      const given = inputs(shape);
      const plainResults = move(given);
      const expected = await numbers(plainResults);
      const results = compiledMove({}, given);
      expectClose(await numbers(results), expected, 1e-6);
      tf.dispose([...plainResults, ...results, ...Object.values(given)]);
    });
    it('needs no memory where nobody else sees the inputs', () => {
      const given = inputs([100]);
      const before = ortBackend().memory().usedBytes;
      const results = compiledMove({}, given);
      const isInPlace = device === 'node-cpu';
      expect(ortBackend().memory().usedBytes - before).toBe(isInPlace ? 0 : 800);
      tf.dispose([given.value!, given.mean!]);
      const again = compiledMove({}, { ...given, value: results[0]!, mean: results[1]! });
      expect(ortBackend().memory().usedBytes).toBe(isInPlace ? before : before + 800);
      tf.dispose([...results, ...again, given.gradient!, given.rate!]);
      expect(ortBackend().memory().usedBytes).toBe(before - 1200);
    });
    it('leaves alone what somebody else sees: a copy, a variable’s first value, elements that were read, the user’s own', async () => {
      const own = Float32Array.of(1, 2);
      const read = tf.add([1, 2], 0);
      const elements = await read.data();
      const copied = tf.add([1, 2], 0);
      const copy = copied.clone();
      const first = tf.add([1, 2], 0);
      const variable = tf.variable(first);
      const inPlace = compile(({ x }) => tf.mul(x!, 10), { replaces: () => 'x' });
      for (const x of [tf.tensor(own), read, copied, variable]) {
        const y = inPlace({}, { x });
        expect([...(await y.data())]).toEqual([10, 20]);
        y.dispose();
      }
      for (const seen of [own, elements, await copy.data(), await first.data()]) expect([...seen]).toEqual([1, 2]);
    });
    it('does not overwrite what another result still reads', async () => {
      const x = tf.add([1, 2], 0);
      const both = compile(({ x, y }) => [tf.add(x!, 1), tf.mul(x!, tf.exp(tf.exp(y!)))], {
        replaces: i => ['x', 'y'][i]!,
      });
      const results = both({}, { x, y: tf.zeros([2]) }) as tf.Tensor[];
      expectClose(await numbers(results), [
        { shape: [2], values: [2, 3] },
        { shape: [2], values: [Math.E, 2 * Math.E] },
      ]);
    });
    it('knows no longer that all elements are one number when they are not', async () => {
      const zeros = tf.zeros([100]);
      const inPlace = compile(({ x, y }) => tf.add(x!, y!), { replaces: () => 'x' });
      const y = inPlace({}, { x: zeros, y: drawer(1)([100]) });
      zeros.dispose();
      const sum = compile(({ x }) => tf.add(x!, y))({}, { x: tf.zeros([100]) });
      expectClose(await numbers([sum]), await numbers([drawer(1)([100])]));
    });
    it('is for functions that work element by element', () => {
      const x = tf.ones([4, 3]);
      const replaces = (): string => 'x';
      const refused = (fn: Traceable, frozen: Named, differentiable: Named = {}) =>
        expect(() => compile(fn, { replaces, name: 'f' })(differentiable, frozen));
      refused(({ x }) => tf.softmax(x!), { x }).toThrow(
        '[@dropbp/tfjs-backend-ort] the function f does not work element by element, as its option replaces says; got "the operation ',
      );
      refused(({ x }) => tf.sub(x!, tf.sum(x!)), { x }).toThrow('got "the operation ReduceSum"');
      refused(({ x, y }) => tf.add(x!, y!), { x, y: tf.ones([3]) }).toThrow(
        'got "input \'y\' [3]"; expected operations on single elements, and inputs of [4,3] or of one element',
      );
      refused(({ y }) => tf.exp(y!), { x, y: tf.scalar(1) }).toThrow('got "a result of another size than its inputs"');
      const large = drawer(1)([100]);
      refused(({ x }) => tf.add(x!, large), { x: tf.ones([100]) }).toThrow('got "a tensor from outside, [100]"');
      refused(({ x }) => tf.exp(x!), {}, { x }).toThrow('the function f, compiled with replaces, has no gradient');
    });
  });

  it('refuses to be wrong about second derivatives', () => {
    const call = compiled(({ x }) => tf.pow(x!, 3));
    const first = (x: tf.Tensor): tf.Tensor => tf.grad(x => tf.sum(call({ x }, {})))(x);
    expect(() => tf.grad(x => tf.sum(first(x)))(tf.tensor([2]))).toThrow(
      'a compiled function has no second derivative',
    );
  });
}
