import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { adamW, optimizerFrom, sgd, type Optimizer } from '../index.ts';

beforeAll(() => tf.setBackend('cpu'));

const named = (name: string, values: number[]): Map<string, tf.Variable> =>
  new Map([[name, tf.variable(tf.tensor1d(values))]]);
const gradient = (name: string, values: number[]): Map<string, tf.Tensor> => new Map([[name, tf.tensor1d(values)]]);
const momentum = (): Optimizer =>
  optimizerFrom({
    name: 'momentum',
    learningRate: 0.1,
    stores: ['direction'],
    update({ value, gradient, direction, learningRate }) {
      const next = tf.add(tf.mul(direction, 0.5), gradient);
      return { value: tf.sub(value, tf.mul(next, learningRate)), direction: next };
    },
  });
const makers: [string, () => Optimizer][] = [
  ['adamW', () => adamW({ learningRate: 0.1 })],
  ['sgd', () => sgd({ learningRate: 0.1, momentum: 0.5 })],
  ['momentum', momentum],
];

describe.each(makers)('%s', (name, make) => {
  it('keeps no tensors but its own, and frees those', () => {
    const parameters = named('p', [1, 2]);
    const gradients = gradient('p', [1, 2]);
    const before = tf.memory().numTensors;
    const optimizer = make();
    optimizer.apply(parameters, gradients);
    const after = tf.memory().numTensors;
    for (let i = 0; i < 5; i++) optimizer.apply(parameters, gradients);
    expect(tf.memory().numTensors).toBe(after);
    optimizer.dispose();
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
  it('keeps what it stores although it runs inside a tidy', async () => {
    const parameters = named('p', [1, 2]);
    const [inside, outside] = [make(), make()];
    const gradients = gradient('p', [0.5, -1]);
    const other = named('p', [1, 2]);
    for (let i = 0; i < 3; i++) {
      tf.tidy(() => inside.apply(parameters, gradients));
      outside.apply(other, gradients);
    }
    expect(await parameters.get('p')!.array()).toEqual(await other.get('p')!.array());
  });
  it('skips a parameter without a gradient as if the step had not been', async () => {
    const gradients = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(gradients), { maxLength: 6 }), async steps => {
        const run = async (list: (number[] | null)[]): Promise<unknown> => {
          const optimizer = make();
          const parameters = new Map([...named('p', [1, 2]), ...named('q', [3])]);
          for (const values of list) {
            optimizer.apply(parameters, new Map([...gradient('q', [1]), ...(values ? gradient('p', values) : [])]));
          }
          const result = [await parameters.get('p')!.array(), (await optimizer.state()).values.steps.p];
          optimizer.dispose();
          return result;
        };
        expect(await run(steps)).toEqual(await run(steps.filter(values => values !== null)));
      }),
      { numRuns: 25 },
    );
  });
  it('refuses gradients that do not belong to the parameters, before anything changes', async () => {
    const optimizer = make();
    const parameters = named('p', [1, 2]);
    const stray = new Map([...gradient('p', [1, 1]), ...gradient('q', [1])]);
    expect(() => optimizer.apply(parameters, stray)).toThrow(
      "[@dropbp/train] there is a gradient for 'q', which is no parameter.",
    );
    expect(() => optimizer.apply(parameters, gradient('p', [1]))).toThrow(
      "[@dropbp/train] the gradient of 'p' has another shape than the parameter; got [1]; expected 2.",
    );
    const message =
      'is not usable; got {}; expected a Map of tensors by name, as compose() gives; of an object make one';
    expect(() => optimizer.apply(parameters, {} as never)).toThrow(`gradients ${message}`);
    expect(() => optimizer.apply({} as never, gradient('p', [1, 1]))).toThrow(`parameters ${message}`);
    expect(await parameters.get('p')!.array()).toEqual([1, 2]);
  });
  it.each([NaN, -1, Infinity])('refuses a learning rate of %d, before anything changes', async learningRate => {
    const optimizer = make();
    const parameters = named('p', [1, 2]);
    expect(() => optimizer.apply(parameters, gradient('p', [1, 1]), learningRate)).toThrow(
      /\[@dropbp\/train\] the learning rate of .* is not usable; got (NaN|-1|Infinity); expected a finite number ≥ 0/,
    );
    expect(await parameters.get('p')!.array()).toEqual([1, 2]);
  });
  it('refuses a state that is not its own, and keeps what it has', async () => {
    const optimizer = make();
    const parameters = named('p', [1, 2]);
    optimizer.apply(parameters, gradient('p', [1, 1]));
    const state = await optimizer.state();
    expect(() => optimizer.restore({ ...state, values: { ...state.values, optimizer: 'lion' } })).toThrow(
      `[@dropbp/train] the state is of another optimizer; got "lion"; expected ${name}.`,
    );
    expect(() => optimizer.restore({ ...state, tensors: new Map() })).toThrow(/the state holds no \w+ for 'p'/);
    expect(await optimizer.state()).toEqual(state);
    optimizer.restore(state);
    const wider = named('p', [1, 2, 3]);
    expect(() => optimizer.apply(wider, gradient('p', [1, 1, 1]))).toThrow(
      "[@dropbp/train] the restored state of 'p' does not fit the parameter; got [2]; expected 3.",
    );
  });
});

describe('adamW', () => {
  it('moves by the learning rate in the first step, whatever the size of the gradient', async () => {
    const parameters = named('p', [1, 1, 1]);
    adamW({ learningRate: 0.1, weightDecay: 0 }).apply(parameters, gradient('p', [1e-3, -5, 1e6]));
    const moved = await parameters.get('p')!.array();
    [0.9, 1.1, 0.9].forEach((value, i) => expect((moved as number[])[i]).toBeCloseTo(value, 5));
  });
  it('says what it divides a gradient by: the root of the corrected mean of squares, and epsilon', async () => {
    const parameters = named('p', [1, 1]);
    const optimizer = adamW({ learningRate: 0.1, beta2: 0.9, epsilon: 0.5 });
    const parameter = parameters.get('p')!;
    const before = tf.memory().numTensors;
    expect(optimizer.divisorOf!('p', parameter)).toBeUndefined();
    expect(tf.memory().numTensors).toBe(before);
    optimizer.apply(parameters, gradient('p', [3, -4]));
    optimizer.apply(parameters, gradient('p', [1, 0]));
    const divisor = optimizer.divisorOf!('p', parameter)!;
    const expected = [(0.09 * 9 + 0.1 * 1) / (1 - 0.81), (0.09 * 16) / (1 - 0.81)].map(v => Math.sqrt(v) + 0.5);
    const values = await divisor.data();
    expected.forEach((value, i) => expect(values[i]).toBeCloseTo(value, 5));
    divisor.dispose();
  });
  it('leaves the parameters without decay that noDecay names', async () => {
    const parameters = new Map([...named('a.weight', [1]), ...named('a.bias', [1])]);
    const zero = new Map([...gradient('a.weight', [0]), ...gradient('a.bias', [0])]);
    const noDecay = (name: string): boolean => name.endsWith('.bias');
    adamW({ learningRate: 0.5, weightDecay: 0.1, noDecay }).apply(parameters, zero);
    expect((await parameters.get('a.weight')!.data())[0]).toBeCloseTo(0.95, 6);
    expect(await parameters.get('a.bias')!.array()).toEqual([1]);
  });
  it('gives each parameter the learning rate that its factor says, decay included', async () => {
    const start = (name: string): Map<string, tf.Variable> => named(name, [1, -2]);
    const parameters = new Map([...start('a'), ...start('b'), ...named('c', [3])]);
    const gradients = new Map([...gradient('a', [2, 3]), ...gradient('b', [2, 3]), ...gradient('c', [1])]);
    const learningRateFactor = (name: string, shape: readonly number[]): number =>
      shape[0] === 1 ? 0 : name === 'b' ? 16 : 1;
    const alone = start('b');
    adamW({ learningRate: 0.01, learningRateFactor }).apply(parameters, gradients, 0.02);
    adamW({ learningRate: 0.32 }).apply(alone, gradient('b', [2, 3]));
    expect(await parameters.get('b')!.data()).toEqual(await alone.get('b')!.data());
    expect((await parameters.get('a')!.data())[0]).toBeCloseTo(1 - 0.02 - 0.0002, 5);
    expect(await parameters.get('c')!.array()).toEqual([3]);
  });
  it('refuses a factor that is none, before anything changes', async () => {
    const parameters = new Map([...named('a', [1]), ...named('b', [1])]);
    const gradients = new Map([...gradient('a', [1]), ...gradient('b', [1])]);
    const learningRateFactor = (name: string): number => (name === 'b' ? NaN : 1);
    expect(() => adamW({ learningRate: 0.1, learningRateFactor }).apply(parameters, gradients)).toThrow(
      "the learning rate of 'b' is not usable; got NaN",
    );
    expect(await parameters.get('a')!.array()).toEqual([1]);
  });
  it('refuses a restored state of which any tensor does not fit', async () => {
    const optimizer = adamW({ learningRate: 0.1 });
    const parameters = named('p', [1, 2]);
    optimizer.apply(parameters, gradient('p', [1, 1]));
    const state = await optimizer.state();
    const tensors = new Map([...state.tensors, ['p.square', { shape: [1], data: new Float32Array(1) }]]);
    optimizer.restore({ ...state, tensors });
    expect(() => optimizer.apply(parameters, gradient('p', [1, 1]))).toThrow(
      "the restored state of 'p' does not fit the parameter; got [1]; expected 2",
    );
  });
  it('refuses options that it cannot use', () => {
    const make = (options: object): Optimizer => adamW({ learningRate: 0.1, ...options });
    expect(() => make({ learningRate: undefined })).toThrow(
      '[@dropbp/train] learningRate is not usable; got undefined; expected a finite number ≥ 0; start with learningRate: 1e-4.',
    );
    expect(() => make({ beta1: 1 })).toThrow('beta1 is not usable; got 1; expected a number in [0, 1)');
    expect(() => make({ beta2: -0.1 })).toThrow('beta2 is not usable');
    expect(() => make({ epsilon: NaN })).toThrow('epsilon is not usable');
    expect(() => make({ weightDecay: -1 })).toThrow('weightDecay is not usable');
    expect(() => make({ noDecay: ['bias'] })).toThrow('noDecay is not usable; got ["bias"]; expected a function');
    expect(() => make({ learningRateFactor: 16 })).toThrow('learningRateFactor is not usable; got 16');
    expect(() => make({ weigthDecay: 0.1 })).toThrow("did you mean 'weightDecay'?");
  });
});

describe('sgd', () => {
  it('stores nothing without momentum', async () => {
    const optimizer = sgd({ learningRate: 0.1 });
    optimizer.apply(named('p', [1]), gradient('p', [1]));
    expect((await optimizer.state()).tensors.size).toBe(0);
  });
  it('refuses options that it cannot use', () => {
    expect(() => sgd({ learningRate: -1 })).toThrow('learningRate is not usable; got -1');
    expect(() => sgd({ learningRate: 1, momentum: 1 })).toThrow('momentum is not usable');
    expect(() => sgd({ learningRate: 1, decay: 1 } as never)).toThrow('does not know the option');
  });
});

describe('optimizerFrom', () => {
  it('is the optimizer that its rule says', async () => {
    const [ours, theirs] = [named('p', [1, 2]), named('p', [1, 2])];
    const own = momentum();
    const known = sgd({ learningRate: 0.1, momentum: 0.5 });
    for (const values of [
      [1, -2],
      [0.5, 3],
      [2, 2],
    ]) {
      own.apply(ours, gradient('p', values), 0.2);
      known.apply(theirs, gradient('p', values), 0.2);
    }
    expect(await ours.get('p')!.array()).toEqual(await theirs.get('p')!.array());
    expect((await own.state()).values).toEqual({ optimizer: 'momentum', steps: { p: 3 } });
  });
  it('counts the steps of each parameter for the rule, which may leave the value as it is', async () => {
    const seen: number[] = [];
    const optimizer = optimizerFrom({
      name: 'still',
      learningRate: 1,
      update({ value, steps }) {
        seen.push(steps);
        return { value };
      },
    });
    // A variable that is alone with its values, as those of an adapter are.
    const parameters = new Map([['p', tf.tidy(() => tf.variable(tf.tensor1d([1])))]]);
    for (let i = 0; i < 3; i++) optimizer.apply(parameters, gradient('p', [1]));
    expect(seen).toEqual([0, 1, 2]);
    expect(await parameters.get('p')!.array()).toEqual([1]);
  });
  it('says what a rule lacks', () => {
    const make = (rule: object): Optimizer =>
      optimizerFrom({ name: 'x', learningRate: 1, update: ({ value }) => ({ value }), ...rule });
    const step = (rule: object) => () => make(rule).apply(named('p', [1, 2]), gradient('p', [1, 2]));
    expect(() => make({ learningRate: -1 })).toThrow('learningRate is not usable; got -1');
    expect(() => make({ stores: ['value'] })).toThrow("an optimizer cannot store 'value'");
    expect(() => make({ store: [] })).toThrow("did you mean 'stores'?");
    expect(() => make({ stores: 'direction' })).toThrow(
      'stores is not usable; got "direction"; expected a list of names',
    );
    expect(() => make({ name: undefined })).toThrow('optimizerFrom(): name is not usable');
    expect(() => make({ update: undefined })).toThrow('update is not usable; got undefined; expected a function');
    expect(step({ update: () => undefined })).toThrow("gives no new 'value' for 'p'; got undefined");
    expect(step({ update: () => ({}) })).toThrow("the rule of 'x' gives no new 'value' for 'p'; got undefined");
    expect(step({ update: () => ({ value: tf.zeros([3]) }) })).toThrow('got "a tensor [3]"; expected a tensor [2]');
    expect(step({ stores: ['m'] })).toThrow("gives no new 'm' for 'p'");
  });
});
