import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import {
  prepareAdapter,
  withTensors,
  type Adapter,
  type AdapterFormat,
  type Attachment,
  type Model,
} from '@dropbp/core';
import {
  bind,
  disturb,
  gradients,
  isTensor,
  lossOf,
  relativeDifference,
  stepOf,
  tokens,
  valuesOf,
  type Bound,
} from './boundAdapter.ts';
import { describeSuite, type Skip, type Test, type Tests } from './describeSuite.ts';
import { droppedTests } from './droppedTests.ts';
import { gradientCheck } from './gradientCheck.ts';
import { forwardOutputs } from './outputs.ts';
import { trainingTests } from './trainingTests.ts';

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
  /** Whether the files hold the parameters, and not only what a network makes of them. @defaultValue true */
  readonly keepsParameters?: boolean;
  /** Whether the adapter can be merged. @defaultValue true */
  readonly isMergeable?: boolean;
  /**
   * Whether the method's gradient takes a part of its formula for constant, as DoRA's does, so that it is not that of finite
   * differences. @defaultValue false
   */
  readonly isDetached?: boolean;
  /** Of the steps in which it learns a toy task. @defaultValue 0.05 */
  readonly learningRate?: number;
  /** What must be refused, by what it is, with a part of the error's text. */
  readonly rejects: Readonly<Record<string, readonly [make: (model: Model) => unknown, text: string]>>;
  /** Tests that do not hold for this adapter, each with the reason. */
  readonly skip?: readonly Skip[];
}

/** Between results that should be equal but for the order of sums, relative to the largest. */
const CLOSE = 2e-5;

/** Runs every promise of {@link Adapter} on an adapter: the contract test of an adapter package. */
export function testAdapter(name: string, suite: AdapterSuite): void {
  describeSuite(name, testsOf(suite), suite);
}

function testsOf(suite: AdapterSuite): Tests {
  const attach = async (model: Model): Promise<Attachment> =>
    (await prepareAdapter(suite.create(), model)).attach(model);
  /** Runs a test on an attached adapter and checks that nothing is left when it is done. */
  const withAdapter =
    (run: (bound: Bound) => unknown): Test =>
    async () => {
      const before = tf.memory().numTensors;
      const model = await suite.model();
      const attachment = await attach(model);
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
      const base = forwardOutputs(bound.model, tokens(bound.model));
      const tuned = forwardOutputs(bound.runnable, tokens(bound.model));
      expect(tuned.shape).toEqual(base.shape);
      const difference = await relativeDifference(tuned, base);
      if (suite.startsAsBase ?? true) expect(difference).toBe(0);
      else expect(difference).toBeGreaterThan(0);
      tf.dispose([base, tuned]);
    }),

    'names its parameters in a stable order, each of them trainable': withAdapter(async ({ model, attachment }) => {
      const again = await attach(model);
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
      const again = await attach(model);
      expect(await valuesOf(again.parameters)).toEqual(await valuesOf(attachment.parameters));
      again.dispose();
    }),

    'changes the output with its parameters, and never the model': withAdapter(async bound => {
      const weights = await valuesOf(bound.model.parameters);
      const before = forwardOutputs(bound.runnable, tokens(bound.model));
      disturb(bound.attachment);
      const after = forwardOutputs(bound.runnable, tokens(bound.model));
      expect(await relativeDifference(after, before)).toBeGreaterThan(1e-3);
      expect(await valuesOf(bound.model.parameters)).toEqual(weights);
      tf.dispose([before, after]);
    }),

    'gives every parameter to one branch, the embedding, the head or an encoder': withAdapter(
      ({ model, attachment, runnable }) => {
        const inOuter = new Set(Object.values(runnable.outerScope));
        const inBranches = new Set(runnable.branchScopes.flatMap(scope => Object.values(scope)));
        const encoded = new Set(attachment.encoder?.reads);
        for (const [name, variable] of attachment.parameters) {
          const isOutside = encoded.has(name) || model.isEmbeddingParameter(name) || model.isHeadParameter(name);
          const isRead = inBranches.has(variable) || isOutside;
          expect(isRead, name).toBe(true);
          expect(inBranches.has(variable) !== inOuter.has(variable), name).toBe(true);
        }
      },
    ),

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
      expect(worst, where).toBeLessThan(Infinity);
      if (suite.isDetached ?? false) expect(worst, 'the method is said to be detached').toBeGreaterThan(0.02);
      else expect(worst, where).toBeLessThan(0.02);
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

    ...droppedTests(suite, withAdapter),
    ...trainingTests(suite, run => withAdapter(({ model }) => run(model))),

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
      if (suite.keepsParameters ?? true) {
        expect(await valuesOf(again.parameters)).toEqual(await valuesOf(attachment.parameters));
      }
      const [before, after] = [runnable, bind(model, again).runnable].map(r => forwardOutputs(r, tokens(model)));
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
      const expected = forwardOutputs(runnable, tokens(model));
      const base = forwardOutputs(model, tokens(model));
      const merged = model.withParameters(attachment.mergedWeights());
      const actual = forwardOutputs(merged, tokens(model));
      expect(await relativeDifference(actual, expected)).toBeLessThan(CLOSE);
      merged.dispose();
      const [again, still] = [forwardOutputs(runnable, tokens(model)), forwardOutputs(model, tokens(model))];
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
