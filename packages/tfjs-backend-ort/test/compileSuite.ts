import * as tf from '@tensorflow/tfjs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Call,
  expectBranches,
  expectClose,
  llamaBranch,
  onCpu,
  outcomes,
  valueAndGradients,
} from '@dropbp/testing';
import {
  compile as compileForGood,
  type CompiledFunction,
  type CompileOptions,
  ortBackend,
  type Results,
  type Traceable,
} from '../src/index.ts';

const { attention, attentionInputs, drawer, mlp, mlpInputs, tiny } = llamaBranch;
type Named = llamaBranch.Named;

/** Between ONNX Runtime and tfjs's cpu backend, relative to the largest number of each tensor. */
const CLOSE = 1e-5;

const made: { dispose(): void }[] = [];

/** V8's, in Node and in a browser that was started with it. */
function garbageCollector(): () => void {
  const given = (globalThis as { gc?: () => void }).gc;
  if (given) return given;
  process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc');
  return process.getBuiltinModule('node:vm').runInNewContext('gc') as () => void;
}

/** A compiled function for the time of a test. */
function compile<R extends Results>(fn: Traceable<R>, options?: CompileOptions): CompiledFunction<R> {
  const call = compileForGood(fn, options);
  made.push(call);
  return call;
}

/** One of one result. */
function compiled(fn: Traceable, options?: CompileOptions): Call & CompiledFunction {
  return compile(fn, options) as Call & CompiledFunction;
}

/** What a compiled function may not leave behind. */
function held(): object {
  const { numTensors, numDataBuffers } = tf.memory();
  const { usedBytes, sessions } = ortBackend().memory();
  return { numTensors, numDataBuffers, usedBytes, sessions, dataIds: ortBackend().numDataIds() };
}

/** What `compile` promises beyond an engine: sessions, options, errors, what it holds. The rest is in testBackend. */
export function compileSuite(device: string): void {
  beforeEach(() => tf.setBackend('ort'));
  afterEach(() => {
    for (const call of made.splice(0)) call.dispose();
  });
  afterAll(() => tf.setBackend('cpu'));

  describe('a compiled transformer branch', () => {
    const options: CompileOptions[] = [{ recompute: 'none' }, { recompute: 'full' }];

    it.each(options)('gives the values and gradients of plain tfjs on cpu, %o', option =>
      expectBranches(fn => compiled(fn, option)),
    );

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
      expect(saved[1]).toBeGreaterThan(0);
      expect(saved[2]).toBe(0);
    });
    it("with recompute 'full' holds nothing between the passes, and runs forward again by itself", () => {
      const { x, lora, frozen } = mlpInputs({ ...tiny, time: 80 }, 5);
      const branch = compiled(mlp, { recompute: 'full', ownsGradient: true });
      const step = (): { forward: number; all: object } => {
        const before = ortBackend().memory().usedBytes;
        let forward = 0;
        tf.tidy(() => {
          tf.grad((x: tf.Tensor) => {
            const y = branch({ x, ...lora }, frozen);
            forward = ortBackend().memory().usedBytes - before - 4 * y.size;
            return tf.sum(y);
          })(x);
        });
        return { forward, all: held() };
      };
      step(); // what the trace keeps is there from now on
      const { forward, all } = step();
      expect(forward).toBe(0);
      expect(step().all).toEqual(all);
      const { nodes } = branch.report()[0]!;
      expect(Object.keys(nodes)).toEqual(['forward', 'again', 'backward']);
      // What follows on all that the backward pass reads does not run again: the last product.
      expect(nodes.again).toBeLessThan(nodes.forward!);
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
      for (let layer = 0; layer < 4; layer++) {
        const { x, lora, frozen } = attentionInputs(tiny, 10 + layer, 1 + layer);
        await valueAndGradients(call, { x, ...lora }, frozen);
      }
      expect(call.signatures).toBe(1);
      const { sessions } = ortBackend().memory();
      call.dispose();
      // Forward and backward.
      expect(ortBackend().memory().sessions).toBe(sessions - 2);
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
      expect(Object.keys(call.report()[0]!.nodes)).toEqual(['forward', 'backward']);
    });
  });

  describe('inputs', () => {
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
    it('a compiled function: it becomes part of the outer one', () => {
      const inner = compiled(({ x }) => tf.square(x!));
      const outer = compiled(({ x }) => tf.sin(inner({ x: tf.exp(x!) }, {})));
      outer({ x: tf.tensor([0.1, 0.2]) }, {});
      expect([outer.signatures, inner.signatures]).toEqual([1, 0]);
    });
    it('constants from outside, small and large, which it keeps', async () => {
      const large = drawer(1)([100]);
      const call = compiled(({ x }) => tf.add(tf.mul(x!, tf.add(large, 1)), tf.add(large, tf.tensor([1]))));
      const factors = Array.from(await tf.add(large, 1).data());
      const sumOfFactors = factors.reduce((sum, factor) => sum + factor, 0);
      const expected = await outcomes([tf.add(tf.mul(3, tf.add(large, 1)), tf.add(large, 1))]);
      const before = tf.memory();
      const x = tf.scalar(3);
      const gradient = tf.grad((x: tf.Tensor) => {
        const y = tf.sum(call({ x }, {}));
        large.dispose();
        return y;
      })(x);
      const y = call({ x }, {});
      expectClose(await outcomes([y]), expected, CLOSE, 'largest');
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
      expect([await value.array(), await grads[0]!.array()]).toEqual([3, [1, 1]]);
      expect(call.report()[0]!.nodes.forward).toBeGreaterThan(1);
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
      const logits = tf.matMul(h, w, false, true);
      return tf.neg(tf.sum(tf.logSoftmax(logits)));
    };
    const both: Traceable<tf.Tensor[]> = ({ h, w }) => {
      const { value, grads } = tf.valueAndGrads(loss)([h!, w!]);
      return [value, ...grads];
    };
    const make = (): Named => ({ h: drawer(1)([5, 4]), w: drawer(2)([7, 4]) });
    const call = compile(both);
    expectClose(await outcomes(call({}, make())), await onCpu(() => outcomes(both(make()))), CLOSE, 'largest');
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
    const branch = compileForGood(mlp) as Call & CompiledFunction;
    const through = (x: tf.Tensor): tf.Tensor => tf.add(x, branch({ x, ...lora }, frozen));
    const input = (): tf.Tensor => drawer(3)([tiny.batch, tiny.time, tiny.hidden]);

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
      const collectGarbage = garbageCollector();
      const large = drawer(1)([100]);
      const x = tf.tensor([1]);
      const kept = compile(({ x }) => tf.sub(x!, tf.exp(large)));
      tf.dispose(kept({ x }, {}));
      const callOnce = (): void => tf.dispose(compileForGood(({ x }) => tf.add(x!, tf.exp(large)))({ x }, {}));
      ortBackend().trim();
      const before = held();
      callOnce();
      expect(held()).not.toEqual(before);
      await vi.waitFor(() => {
        collectGarbage();
        ortBackend().trim();
        expect(held()).toEqual(before);
      }, 30_000);
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
    const compiledMove = compileForGood(move, { replaces: i => targets[i]! });
    /** Tensors whose elements nobody else has. */
    const inputs = (shape: number[]): Named =>
      tf.tidy(() => {
        const draw = drawer(7);
        const own = (): tf.Tensor => tf.add(draw(shape), 1);
        return { value: own(), mean: own(), gradient: own(), rate: tf.scalar(0.25) };
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
      const values = (await outcomes(results)).flatMap(({ values }) => values);
      [2, 3, Math.E, 2 * Math.E].forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5));
    });
    it('knows no longer that all elements are one number when they are not', async () => {
      const zeros = tf.zeros([100]);
      const inPlace = compile(({ x, y }) => tf.add(x!, y!), { replaces: () => 'x' });
      const y = inPlace({}, { x: zeros, y: drawer(1)([100]) });
      zeros.dispose();
      const sum = compile(({ x }) => tf.add(x!, y))({}, { x: tf.zeros([100]) });
      expectClose(await outcomes([sum]), await outcomes([drawer(1)([100])]), CLOSE, 'largest');
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
