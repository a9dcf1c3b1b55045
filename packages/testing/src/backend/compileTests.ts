import * as tf from '@tensorflow/tfjs';
import { expect, vi } from 'vitest';
import { attention as chunkedAttention, type TracedFunction } from '@dropbp/core';
import type { Tests } from '../describeSuite.ts';
import { compile, type BackendSuite, heldBy, onCpu } from './backendUnderTest.ts';
import { attention, attentionInputs, drawer, mlp, mlpInputs, type Named, tiny } from './llamaBranch.ts';
import { expectClose, outcomes, type Outcome } from './outcome.ts';

/** A function over its differentiable and its other inputs. */
export type Call = (differentiable: Named, frozen: Named) => tf.Tensor;

/** Between an engine and tfjs's cpu backend, relative to the largest number of each tensor. */
const CLOSE = 1e-5;

/** The function as it is. */
export const plain =
  (fn: TracedFunction): Call =>
  (differentiable, frozen) =>
    fn({ ...differentiable, ...frozen });

/** The value of a call without and with a tape, and the gradients of Σ y·dy by all differentiable inputs. */
export async function valueAndGradients(call: Call, differentiable: Named, frozen: Named): Promise<Outcome[]> {
  const names = Object.keys(differentiable);
  let taped: tf.Tensor | undefined;
  const gradients = tf.grads((...x: tf.Tensor[]) => {
    taped = tf.keep(call(Object.fromEntries(names.map((name, i) => [name, x[i]!])), frozen));
    return tf.sum(tf.mul(taped, drawer(99)(taped.shape)));
  })(Object.values(differentiable));
  const result = await outcomes([call(differentiable, frozen), taped!, ...gradients]);
  taped!.dispose();
  return result;
}

/** Compiled functions of a transformer branch against plain tfjs on cpu, with and without a gradient of x. */
export async function expectBranches(compile: (fn: TracedFunction) => Call): Promise<void> {
  const sizes = [tiny, { ...tiny, batch: 3 }, { ...tiny, time: 40, hidden: 64, inner: 128 }];
  for (const size of sizes) {
    const branches = [
      [attention(size), () => attentionInputs(size, 3)],
      [mlp, () => mlpInputs(size, 5)],
    ] as const;
    for (const [fn, make] of branches) {
      const run = (call: Call) => async (): Promise<Outcome[]> => {
        const { x, lora, frozen } = make();
        return [
          ...(await valueAndGradients(call, { x, ...lora }, frozen)),
          ...(await valueAndGradients(call, lora, { x, ...frozen })),
        ];
      };
      expectClose(await run(compile(fn))(), await onCpu(run(plain(fn))), CLOSE, 'largest');
    }
  }
}

/** What models and optimizers ask of an engine: compiled functions give what they give as they are. */
export function compileTests(suite: BackendSuite): Tests {
  /** A compiled function against the same function as it is on cpu, each on inputs of its own. */
  const expectSame = async (fn: TracedFunction, make: () => [Named, Named]): Promise<void> =>
    expectClose(
      await valueAndGradients(compile(fn), ...make()),
      await onCpu(() => valueAndGradients(plain(fn), ...make())),
      CLOSE,
      'largest',
    );

  return {
    'compiled: transformer branches': () => expectBranches(fn => compile(fn)),

    'compiled: layers that share a function, with weights of their own': async () => {
      const call = compile(attention(tiny));
      for (const layer of [1, 2, 3]) {
        const run = (branch: Call) => (): Promise<Outcome[]> => {
          const { x, lora, frozen } = attentionInputs(tiny, 10 + layer, layer);
          return valueAndGradients(branch, { x, ...lora }, frozen);
        };
        expectClose(await run(call)(), await onCpu(run(plain(attention(tiny)))), CLOSE, 'largest');
      }
    },

    'compiled: attention has no constants that grow with the square of the sequence': () => {
      const elements = (time: number): number => {
        const call = compile(({ q, k, v }) => chunkedAttention(q!, k!, v!));
        const inputs = { q: drawer(1)([1, 2, time, 4]), k: drawer(2)([1, 1, time, 4]), v: drawer(3)([1, 1, time, 4]) };
        const write = vi.spyOn(tf.backend(), 'write');
        call({}, inputs).dispose();
        const written = write.mock.calls.reduce((sum, [, shape]) => sum + tf.util.sizeFromShape(shape), 0);
        write.mockRestore();
        return written;
      };
      expect(elements(512)).toBeGreaterThan(0);
      expect(elements(1024)).toBeLessThan(2.2 * elements(512));
      return Promise.resolve();
    },

    'compiled: attention to constants in front, by a mask': () =>
      expectSame(
        ({ q, k, v, begins, ends, positions, frontKeys, frontValues }) => {
          const keyMask = { begins: begins!, ends: ends!, positions };
          const front = { keys: frontKeys!, values: frontValues! };
          return chunkedAttention(q!, k!, v!, { keyMask, front, window: 5, chunk: 2 });
        },
        () => [
          { q: drawer(1)([1, 4, 5, 4]), k: drawer(2)([1, 2, 5, 4]), v: drawer(3)([1, 2, 5, 4]) },
          {
            frontKeys: drawer(4)([1, 2, 3, 4]),
            frontValues: drawer(5)([1, 2, 3, 4]),
            // Two keys in front of the first text, one in front of the second, and what fills up.
            begins: tf.tensor2d([[0, 0, 3, 0, 1, 2, 3, 0]]),
            ends: tf.tensor2d([[3, 3, 4, 3, 3, 3, 4, 0]]),
            positions: tf.tensor2d([[0, 1, 0, 2, 3, 5, 1, 0]]),
          },
        ],
      ),

    'compiled: inputs that are integers and truth values': () =>
      expectSame(
        ({ table, ids, keep }) => tf.where(keep!, tf.gather(table!, ids as tf.Tensor1D), 0),
        () => [
          { table: drawer(1)([5, 3]) },
          { ids: tf.tensor([4, 0, 4], [3], 'int32'), keep: tf.tensor([1, 0, 1], [3, 1], 'bool') },
        ],
      ),

    'compiled: several results, the gradient through the first': async () => {
      const call = compile(({ x, w }) => {
        const y = tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D);
        return [tf.relu(y), y, tf.argMax(y, 1), x!];
      });
      const [x, w] = [drawer(1)([3, 4]), drawer(2)([4, 2])];
      const direct = await outcomes(call({}, { x, w }));
      expect(direct.map(({ shape, dtype }) => [shape, dtype])).toEqual([[[3, 2], 'float32'], [[3, 2], 'float32'], [[3], 'int32'], [[3, 4], 'float32']]); // prettier-ignore
      let taped: tf.Tensor[] = [];
      const gradient = tf.grad(w => {
        taped = call({ w }, { x }).map(y => tf.keep(y));
        return tf.sum(tf.add(taped[0]!, taped[1]!));
      })(w);
      const expected = tf.grad(w => tf.sum(tf.relu(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D))))(w);
      expectClose(await outcomes([gradient]), await outcomes([expected]), CLOSE, 'largest');
      expectClose(await outcomes(taped), direct, CLOSE, 'largest');
      tf.dispose(taped);
    },

    'compiled: a result that is an input, twice the same, or a constant': async () => {
      const call = compile(({ x }) => {
        const y = tf.neg(x!);
        return [x!, y, y, tf.ones([2])];
      });
      const values = async (results: tf.Tensor[]): Promise<readonly (readonly number[])[]> =>
        (await outcomes(results)).map(({ values }) => values);
      const x = tf.tensor([1, 2]);
      expect(await values(call({ x }))).toEqual([[1, 2], [-1, -2], [-1, -2], [1, 1]]); // prettier-ignore
      const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.mul(call({ x })[0]!, [3, 5])))(x);
      expect(await values([gradient])).toEqual([[3, 5]]);
    },

    'compiled: a gradient of zeros by an input that does not matter': () =>
      expectSame(
        ({ x }) => tf.square(x!),
        () => [{ x: tf.tensor([1, 2]) }, { y: tf.ones([3]) }],
      ),

    'compiled: a gradient of its own (customGrad)': async () => {
      const doubled = tf.customGrad((x, save) => {
        (save as tf.GradSaveFunc)([x as tf.Tensor]);
        return {
          value: tf.mul(x as tf.Tensor, 2),
          gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(tf.mul(dy, 10), saved[0]!),
        };
      });
      await expectSame(
        ({ x }) => doubled(tf.exp(x!)),
        () => [{ x: tf.tensor([0, 1]) }, {}],
      );
    },

    'compiled: a function inside another': async () => {
      const inner = compile(({ x }) => tf.square(x!));
      const call = compile(({ x }) => tf.sin(inner({ x: tf.exp(x!) }, {})));
      const make = (): [Named, Named] => [{ x: tf.tensor([0.1, 0.2]) }, {}];
      expectClose(
        await valueAndGradients(call, ...make()),
        await onCpu(() => valueAndGradients(({ x }) => tf.sin(tf.square(tf.exp(x!))), ...make())),
        CLOSE,
        'largest',
      );
    },

    'compiled: results in the place of inputs': async () => {
      const move = ({ value, mean, gradient, rate }: Named): tf.Tensor[] => {
        const next = tf.add(tf.mul(mean!, 0.5), tf.mul(gradient!, rate!));
        return [tf.sub(value!, tf.sqrt(tf.square(next))), next];
      };
      const call = compile(move, { replaces: i => ['value', 'mean'][i]! });
      for (const shape of [[], [3, 5], [2 ** 19 + 5], [2, 2 ** 19]]) {
        tf.engine().startScope();
        // Tensors whose elements nobody else has.
        const own = (seed: number): tf.Tensor => tf.add(drawer(seed)(shape), 1);
        const inputs = { value: own(1), mean: own(2), gradient: own(3), rate: tf.scalar(0.25) };
        const expected = await outcomes(move(inputs));
        expectClose(await outcomes(call({}, inputs)), expected, 1e-6, 'largest');
        tf.engine().endScope();
      }
    },

    'compiled: a forward and a backward pass leave nothing': () => {
      const { lora, frozen } = mlpInputs(tiny, 5);
      const branch = compile(mlp);
      const through = (x: tf.Tensor): tf.Tensor => tf.add(x, branch({ x, ...lora }, frozen));
      const step = (): void =>
        tf.tidy(() => {
          const x = drawer(3)([tiny.batch, tiny.time, tiny.hidden]);
          tf.grad(x => tf.sum(through(through(x))))(x);
        });
      /** A forward pass whose backward pass never comes. */
      const forwardOnly = (): void =>
        tf.tidy(() => {
          tf.grad(x => {
            through(x);
            return tf.sum(tf.square(x));
          })(drawer(3)([tiny.batch, tiny.time, tiny.hidden]));
        });
      step();
      forwardOnly();
      const before = heldBy(suite);
      for (let i = 0; i < 5; i++) {
        step();
        forwardOnly();
      }
      expect(heldBy(suite)).toEqual(before);
      return Promise.resolve();
    },

    'compiled: frozen inputs live until the backward pass': async () => {
      const scaled = compile(({ x, s }) => tf.mul(tf.square(x!), s!));
      const gradient = tf.grad(x =>
        tf.sum(
          tf.tidy(() => {
            const s = tf.add(tf.tensor([1, 2, 3]), 1);
            return scaled({ x }, { s });
          }),
        ),
      )(tf.ones([3]));
      expect(Array.from(await gradient.data())).toEqual([4, 6, 8]);
    },
  };
}
