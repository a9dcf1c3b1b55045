import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import {
  attachedRunnable,
  causalLoss,
  forwardLogits,
  hasTrainable,
  hiddenStates,
  labelledRows,
  withTensors,
  type Adapter,
  type AdapterFormat,
  type Attachment,
  type Model,
  type Runnable,
} from '@dropbp/core';
import { describeSuite, type Skip } from './describeSuite.ts';
import { gradientCheck } from './gradientCheck.ts';

/** What an adapter is tested with. */
export interface AdapterSuite {
  /** Makes the model: a small one. Each call makes a new one, alike. */
  readonly model: () => Model | Promise<Model>;
  /** Makes the adapter. It must leave some branch without anything to train, or adapt all alike. */
  readonly create: () => Adapter;
  /** Whether a fresh adapter changes nothing. @defaultValue true */
  readonly startsAsBase?: boolean;
  /** The files of the method; absent where the trained weights are the model's own. */
  readonly format?: AdapterFormat;
  /** Whether the adapter can be merged. @defaultValue true */
  readonly isMergeable?: boolean;
  /** What must be refused, by what it is, with a part of the error's text. */
  readonly rejects: Readonly<Record<string, readonly [make: (model: Model) => unknown, text: string]>>;
  /** Tests that do not hold for this adapter, each with the reason. */
  readonly skip?: readonly Skip[];
}

/** Between results that should be equal but for the order of sums, relative to the largest. */
const CLOSE = 2e-5;
const TIME = 7;
/** At most this many sets of dropped branches are tried. */
const PATTERNS = 40;

/** Runs every promise of {@link Adapter} on an adapter: the contract test of an adapter package. */
export function testAdapter(name: string, suite: AdapterSuite): void {
  describeSuite(name, testsOf(suite), suite);
}

/** A model with an adapter, without `compose`: what the tests look into. */
interface Bound {
  readonly model: Model;
  readonly attachment: Attachment;
  readonly runnable: Runnable;
}

function bind(model: Model, attachment: Attachment): Bound {
  return { model, attachment, runnable: attachedRunnable(model, attachment) };
}

function testsOf(suite: AdapterSuite): Record<string, () => Promise<void>> {
  /** Runs a test on an attached adapter and checks that nothing is left when it is done. */
  const withAdapter = (run: (bound: Bound) => unknown) => async (): Promise<void> => {
    const before = tf.memory().numTensors;
    const model = await suite.model();
    const attachment = suite.create().attach(model);
    try {
      await run(bind(model, attachment));
    } finally {
      attachment.dispose();
      attachment.dispose();
      model.dispose();
    }
    expect(tf.memory().numTensors - before, 'tensors left').toBe(0);
  };

  return {
    'starts as the base model': withAdapter(async bound => {
      const base = bound.model.forward(tokens(bound.model));
      const tuned = forwardLogits(bound.runnable, tokens(bound.model));
      expect(tuned.shape).toEqual(base.shape);
      const difference = await relativeDifference(tuned, base);
      if (suite.startsAsBase ?? true) expect(difference).toBe(0);
      else expect(difference).toBeGreaterThan(0);
      tf.dispose([base, tuned]);
    }),

    'names its parameters in a stable order, each of them trainable': withAdapter(({ model, attachment }) => {
      const again = suite.create().attach(model);
      const described = ({ parameters }: Attachment): unknown[] =>
        [...parameters].map(([name, { shape }]) => [name, shape]);
      expect(described(again)).toEqual(described(attachment));
      expect([...attachment.constants.keys()]).toEqual([...again.constants.keys()]);
      expect(attachment.parameters.size).toBeGreaterThan(0);
      for (const variable of attachment.parameters.values()) expect(variable.trainable).toBe(true);
      for (const constant of attachment.constants.values()) expect(constant).not.toBeInstanceOf(tf.Variable);
      again.dispose();
    }),

    'starts from the same values each time': withAdapter(async ({ model, attachment }) => {
      const again = suite.create().attach(model);
      expect(await valuesOf(again.parameters)).toEqual(await valuesOf(attachment.parameters));
      again.dispose();
    }),

    'changes the output with its parameters, and never the model': withAdapter(async bound => {
      const weights = await valuesOf(bound.model.parameters);
      const before = forwardLogits(bound.runnable, tokens(bound.model));
      disturb(bound.attachment);
      const after = forwardLogits(bound.runnable, tokens(bound.model));
      expect(await relativeDifference(after, before)).toBeGreaterThan(1e-3);
      expect(await valuesOf(bound.model.parameters)).toEqual(weights);
      tf.dispose([before, after]);
    }),

    'gives every parameter to one branch, the embedding or the head': withAdapter(({ model, attachment, runnable }) => {
      const inOuter = new Set(Object.values(runnable.outerScope));
      const inBranches = new Set(runnable.branchScopes.flatMap(scope => Object.values(scope)));
      for (const [name, variable] of attachment.parameters) {
        const isRead = inBranches.has(variable) || model.isEmbeddingParameter(name) || model.isHeadParameter(name);
        expect(isRead, name).toBe(true);
        expect(inBranches.has(variable) !== inOuter.has(variable), name).toBe(true);
      }
    }),

    'has the gradients of finite differences, step tensors included': withAdapter(async bound => {
      disturb(bound.attachment);
      const { attachment } = bound;
      const step = stepOf(attachment);
      const runnable = withTensors(bound.runnable, step);
      const pass = await lossOf(bound);
      const { worst, where } = await gradientCheck(
        () => pass.loss(runnable),
        [...attachment.parameters.values()],
        2e-3,
        2,
      );
      expect(worst, where).toBeLessThan(0.02);
      tf.dispose([...step.values()]);
      pass.dispose();
    }),

    'trains its parameters alone': withAdapter(async bound => {
      disturb(bound.attachment);
      const pass = await lossOf(bound);
      const weights = [...bound.model.parameters].filter(([name]) => !bound.attachment.parameters.has(name));
      const inputs = [...weights.map(([, tensor]) => tensor), ...bound.attachment.constants.values()];
      const { value, grads } = gradients(
        () => pass.loss(bound.runnable),
        [...bound.attachment.parameters.values(), ...inputs],
      );
      const count = bound.attachment.parameters.size;
      expect(grads.slice(0, count).every(isTensor)).toBe(true);
      expect(grads.slice(count).some(isTensor)).toBe(false);
      tf.dispose([value, ...grads.filter(isTensor)]);
      pass.dispose();
    }),

    'keeps the loss whatever is dropped, and trains what is not': withAdapter(async bound => {
      disturb(bound.attachment);
      const { attachment } = bound;
      const step = stepOf(attachment);
      const runnable = withTensors(bound.runnable, step);
      const pass = await lossOf(bound);
      const expected = pass.loss(runnable);
      const [loss] = await expected.data();
      const names = [...attachment.parameters.keys()];
      for (const dropped of patterns(bound.model.branches.length)) {
        const label = dropped.map(Number).join('');
        const received = dropped.map((isDropped, i) => (isDropped ? [] : Object.values(runnable.branchScopes[i]!)));
        const kept = new Set([...received.flat(), ...Object.values(runnable.outerScope)]);
        const { value, grads } = gradients(() => pass.loss(runnable, dropped), [...attachment.parameters.values()]);
        expect((await value.data())[0], label).toBe(loss);
        names.forEach((name, i) =>
          expect(isTensor(grads[i]), `${name}, dropping ${label}`).toBe(kept.has(attachment.parameters.get(name)!)),
        );
        tf.dispose([value, ...grads.filter(isTensor)]);
      }
      tf.dispose([expected, ...step.values()]);
      pass.dispose();
    }),

    'gives a branch that is not dropped the gradient that it has without drops above it': withAdapter(async bound => {
      // The last branch with something to train: no drop changes what reaches it.
      disturb(bound.attachment);
      const pass = await lossOf(bound);
      const { branchScopes } = bound.runnable;
      const last = branchScopes.findLastIndex(hasTrainable);
      const inputs = Object.values(branchScopes[last] ?? {}).filter(tensor => tensor instanceof tf.Variable);
      const all = gradients(() => pass.loss(bound.runnable), inputs);
      const alone = gradients(
        () =>
          pass.loss(
            bound.runnable,
            branchScopes.map((_, i) => i < last),
          ),
        inputs,
      );
      for (const i of inputs.keys()) expect(await relativeDifference(alone.grads[i]!, all.grads[i]!)).toBe(0);
      tf.dispose([all.value, alone.value, ...[...all.grads, ...alone.grads].filter(isTensor)]);
      pass.dispose();
    }),

    'draws the same step tensors for the same seed': withAdapter(async ({ attachment, runnable }) => {
      const [a, same, other] = [stepOf(attachment, 1), stepOf(attachment, 1), stepOf(attachment, 2)];
      expect(await valuesOf(same)).toEqual(await valuesOf(a));
      if (a.size > 0) expect(await valuesOf(other)).not.toEqual(await valuesOf(a));
      const scoped = withTensors(runnable, a);
      const placed = [...scoped.branchScopes, scoped.outerScope].flatMap(scope => Object.values(scope));
      for (const tensor of a.values()) expect(placed.includes(tensor)).toBe(true);
      tf.dispose([...a.values(), ...same.values(), ...other.values()]);
    }),

    'comes back from its files as it was': withAdapter(async ({ model, attachment, runnable }) => {
      expect(attachment.toPeft !== undefined).toBe(suite.format !== undefined);
      if (attachment.toPeft === undefined) return;
      disturb(attachment);
      const { config, tensors } = await attachment.toPeft();
      expect(config.peft_type).toBe(suite.format!.peftType);
      // As a file would: nothing but what JSON and float32 hold.
      const stored = JSON.parse(JSON.stringify(config)) as Record<string, unknown>;
      const arrays = new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
      const again = suite.format!.fromPeft({ config: stored, tensors: arrays }).attach(model);
      expect(await valuesOf(again.parameters)).toEqual(await valuesOf(attachment.parameters));
      const [before, after] = [runnable, bind(model, again).runnable].map(r => forwardLogits(r, tokens(model)));
      expect(await relativeDifference(after!, before!)).toBe(0);
      const second = await again.toPeft!();
      expect(JSON.parse(JSON.stringify(second.config))).toEqual(stored);
      expect(second.tensors).toEqual(arrays);
      tf.dispose([before!, after!]);
      again.dispose();
    }),

    'merges into a model of the same output': withAdapter(async ({ model, attachment, runnable }) => {
      expect(attachment.mergedWeights !== undefined).toBe(suite.isMergeable ?? true);
      if (attachment.mergedWeights === undefined) return;
      disturb(attachment);
      const expected = forwardLogits(runnable, tokens(model));
      const base = model.forward(tokens(model));
      const merged = model.withParameters(attachment.mergedWeights());
      const actual = merged.forward(tokens(model));
      expect(await relativeDifference(actual, expected)).toBeLessThan(CLOSE);
      merged.dispose();
      const [again, still] = [forwardLogits(runnable, tokens(model)), model.forward(tokens(model))];
      expect(await relativeDifference(again, expected)).toBe(0);
      expect(await relativeDifference(still, base)).toBe(0);
      tf.dispose([expected, actual, base, again, still]);
    }),

    ...Object.fromEntries(
      Object.entries(suite.rejects).map(([what, [make, text]]) => [
        `refuses ${what}`,
        withAdapter(({ model }) => {
          expect(() => make(model)).toThrow(text);
        }),
      ]),
    ),
  };
}

/** Two rows of tokens, the same on every call. */
function tokens({ vocabSize }: Model): number[][] {
  const random = seededRandom(23);
  return [0, 1].map(() => Array.from({ length: TIME }, () => Math.floor(random() * vocabSize)));
}

/** Moves every parameter away from where it starts, where gradients may be 0. */
function disturb({ parameters }: Attachment): void {
  const random = seededRandom(29);
  for (const variable of parameters.values()) {
    const noise = tf.tensor(
      Float32Array.from({ length: variable.size }, () => random.normal() * 0.2),
      variable.shape,
    );
    const moved = tf.add(variable, noise);
    variable.assign(moved);
    tf.dispose([noise, moved]);
  }
}

/** Dropout masks and the like for one step, where the adapter has them. */
function stepOf(attachment: Attachment, seed = 37): ReadonlyMap<string, tf.Tensor> {
  return attachment.stepTensors?.({ batch: 2, time: TIME }, seededRandom(seed)) ?? new Map<string, tf.Tensor>();
}

interface LossOf {
  loss(runnable: Runnable, dropped?: readonly boolean[]): tf.Tensor;
  dispose(): void;
}

async function lossOf({ model }: Bound): Promise<LossOf> {
  const inputIds = tf.tensor2d(tokens(model), [2, TIME], 'int32');
  const rows = await labelledRows({ inputIds, labels: inputIds }, model.vocabSize);
  return {
    loss: (runnable, dropped) =>
      tf.tidy(() => causalLoss(runnable, hiddenStates(runnable, inputIds, { dropped }), rows)),
    dispose: () => inputIds.dispose(),
  };
}

function gradients(f: () => tf.Tensor, inputs: tf.Tensor[]): { value: tf.Tensor; grads: (tf.Tensor | undefined)[] } {
  return tf.engine().gradients(f, inputs, undefined, true);
}

function isTensor(value: unknown): value is tf.Tensor {
  return value instanceof tf.Tensor;
}

/** All sets of dropped branches, or a sample of them: none and all always. */
function patterns(branches: number): boolean[][] {
  const bits = (code: number): boolean[] => Array.from({ length: branches }, (_, i) => ((code >> i) & 1) === 1);
  const count = 2 ** branches;
  if (count <= PATTERNS) return Array.from({ length: count }, (_, code) => bits(code));
  const random = seededRandom(31);
  return [0, count - 1, ...Array.from({ length: PATTERNS - 2 }, () => Math.floor(random() * count))].map(bits);
}

async function valuesOf(tensors: ReadonlyMap<string, tf.Tensor>): Promise<Map<string, number[]>> {
  const values = new Map<string, number[]>();
  for (const [name, tensor] of tensors) values.set(name, Array.from(await tensor.data()));
  return values;
}

async function relativeDifference(actual: tf.Tensor, expected: tf.Tensor): Promise<number> {
  const [x, y] = [(await actual.data()) as Float32Array, (await expected.data()) as Float32Array];
  expect(x.length).toBe(y.length);
  const largest = y.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return x.reduce((most, value, i) => Math.max(most, Math.abs(value - y[i]!)), 0) / largest;
}
