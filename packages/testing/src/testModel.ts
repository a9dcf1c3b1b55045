import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import {
  causalLoss,
  hiddenStates,
  labelledRows,
  makeRunnable,
  plainRunnable,
  type Hooks,
  type Model,
  type ModuleInfo,
} from '@dropbp/core';
import { describeSuite, type Skip } from './describeSuite.ts';
import { gradientCheck } from './gradientCheck.ts';

/** What a model is tested with. */
export interface ModelSuite {
  /** Makes the model: a small one, with weights large enough that every token matters. Each call makes a new one, alike. */
  readonly create: () => Model | Promise<Model>;
  /** Paths of its branches, in the order in which they run. */
  readonly branches: readonly string[];
  /** How many structures its branches have, the MLP's included. @defaultValue 2 */
  readonly structures?: number;
  /** How many tokens back the last token sees anything of. @defaultValue all */
  readonly reach?: number;
  /** Logits that another implementation computed. */
  readonly golden?: readonly GoldenLogits[];
  /** The package's own generation, greedy. */
  readonly generate: (
    model: Model,
    tokens: readonly number[],
    options: { maxNewTokens: number; stopTokens: readonly number[] },
  ) => AsyncIterable<number>;
  /** The tfjs backend to test on. @defaultValue `'cpu'` */
  readonly backend?: string;
  /** Tests that do not hold for this model, each with the reason. */
  readonly skip?: readonly Skip[];
}

/** Logits that another implementation computed. */
export interface GoldenLogits {
  readonly name: string;
  /** The model, where it is another one than the suite's. */
  readonly create?: () => Model | Promise<Model>;
  readonly inputIds: readonly (readonly number[])[];
  readonly attentionMask?: readonly (readonly number[])[];
  /** `[batch, time, vocabSize]`; where the mask is 0 they mean nothing. */
  readonly logits: readonly (readonly (readonly number[])[])[];
  /** Largest difference of a logit. */
  readonly tolerance: number;
}

const TIME = 10;
/** Between results that should be equal but for the order of sums. */
const CLOSE = 2e-5;

/** Runs every promise of {@link Model} on a model: the contract test of an architecture. */
export function testModel(name: string, suite: ModelSuite): void {
  describeSuite(name, testsOf(suite), suite);
}

function testsOf(suite: ModelSuite): Record<string, () => Promise<void>> {
  /** Runs a test on a model and checks that nothing is left when it is done. */
  const withModel =
    (run: (model: Model) => unknown, create = suite.create) =>
    async (): Promise<void> => {
      const before = tf.memory().numTensors;
      const model = await create();
      try {
        await run(model);
      } finally {
        model.dispose();
      }
      expect(tf.memory().numTensors - before, 'tensors left').toBe(0);
    };

  const goldenTests = (suite.golden ?? []).map(golden => [
    `equals the golden logits: ${golden.name}`,
    withModel(model => expectGolden(model, golden), golden.create),
  ]);

  return {
    ...(Object.fromEntries(goldenTests) as Record<string, () => Promise<void>>),

    'lists its branches in the order in which they run': withModel(model => {
      expect(model.branches.map(({ path }) => path)).toEqual(suite.branches);
      for (const { path, block } of model.branches) expect(path.startsWith(`${block}.`)).toBe(true);
    }),

    'shares one function among branches of equal structure': withModel(async model => {
      const { branches } = model;
      expect(new Set(branches.map(({ apply }) => apply)).size).toBe(suite.structures ?? 2);
      const again = model.withParameters(new Map());
      expect(again.branches.map(({ apply }) => apply)).toEqual(branches.map(({ apply }) => apply));
      again.dispose();
      // What a layer computes follows from its scope alone.
      const { branchScopes } = plainRunnable(model);
      const last = branches.length - 1;
      const alike = branches.findIndex(({ apply }) => apply === branches[last]!.apply);
      const x = states(model);
      const results = tf.tidy(() => {
        const shared = model.shared({ batch: 2, time: TIME });
        return [alike, last].map(i => branches[i]!.apply(x, branchScopes[last]!, {}, { shared, isStart: true }));
      });
      await expectClose(results[0]!, results[1]!, 0);
      tf.dispose([x, ...results]);
    }),

    'knows a module for every parameter, and its shape': withModel(model => {
      const { modules, parameters, head, embedding } = model;
      for (const [parameter, { shape }] of parameters) {
        const at = parameter.lastIndexOf('.');
        const module = modules.get(parameter.slice(0, at));
        expect(module, parameter).toBeDefined();
        expect(shape, parameter).toEqual(parameter.endsWith('.bias') ? [module!.outFeatures] : weightShape(module!));
        expect(parameter.endsWith('.bias') && !module!.hasBias, parameter).toBe(false);
      }
      for (const [path, { hasBias }] of modules) {
        if (path !== head.path) expect(parameters.has(`${path}.weight`), path).toBe(true);
        expect(parameters.has(`${path}.bias`), path).toBe(hasBias);
      }
      expect(parameters.has(head.weight)).toBe(true);
      expect(modules.get(head.path)?.isOutput).toBe(true);
      expect(modules.get(embedding)?.kind).toBe('embedding');
    }),

    'gives every parameter to one branch, the embedding or the head': withModel(model => {
      const { branchScopes, outerScope } = plainRunnable(model);
      const inBranches = branchScopes.reduce((sum, scope) => sum + Object.keys(scope).length, 0);
      expect(inBranches + Object.keys(outerScope).length).toBe(model.parameters.size);
      for (const parameter of Object.keys(outerScope)) {
        const readers = [model.isEmbeddingParameter(parameter), model.isHeadParameter(parameter)];
        expect(readers.includes(true), parameter).toBe(true);
      }
      expect(model.isHeadParameter(model.head.weight)).toBe(true);
      expect(model.isEmbeddingParameter(`${model.embedding}.weight`)).toBe(true);
    }),

    'calls each hook once for each of its places': withModel(model => {
      const { linears, keyValues, embeds, hooks } = recordingHooks();
      const runnable = makeRunnable(model, model.parameters, hooks, new Set());
      const { branchScopes, outerScope } = runnable;
      tf.tidy(() => {
        const x = hiddenStates(runnable, tf.tensor2d(tokens(model), [2, TIME], 'int32'));
        model.head.project(model.head.normalize(x, outerScope), outerScope, hooks);
      });
      const expected = model.branches.flatMap(({ block, modules }, i) =>
        [...model.modules]
          .filter(([path, { kind }]) => isLinear(kind) && modules.some(name => path.startsWith(`${block}.${name}.`)))
          .map(([path]) => [path.slice(block.length + 1), branchScopes[i]]),
      );
      expect(linears.map(([name]) => name)).toEqual([...expected.map(([name]) => name), model.head.path]);
      expect(expected.every(([, scope], i) => linears[i]![1] === scope)).toBe(true);
      const attentions = model.branches.filter(({ kind }) => kind === 'attention');
      expect(keyValues).toEqual(attentions.map(({ path, block }) => path.slice(block.length + 1)));
      expect(embeds).toEqual([model.embedding]);
    }),

    'counts the FLOPs of its products, attention causally': withModel(model => {
      for (const branch of model.branches) {
        const { kind, block, modules } = branch;
        const weights = [...model.modules]
          .filter(([path, info]) => isLinear(info.kind) && modules.some(name => path.startsWith(`${block}.${name}.`)))
          .reduce((sum, [, { inFeatures, outFeatures }]) => sum + inFeatures * outFeatures, 0);
        const besides = (time: number): number => branch.flops({ batch: 1, time }) - 2 * time * weights;
        // The first token sees one key, the second two.
        expect(besides(2)).toBe(3 * besides(1));
        expect(besides(1) > 0).toBe(kind === 'attention');
        expect(branch.flops({ batch: 3, time: TIME })).toBe(3 * branch.flops({ batch: 1, time: TIME }));
      }
    }),

    'sees no later token': withModel(async model => {
      const rows = tokens(model);
      const changed = rows.map(row => row.with(6, (row[6]! + 1) % model.vocabSize));
      const differences = await differenceByTime(model, rows, changed);
      expect(differences.slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
      expect(differences[6]).toBeGreaterThan(0.01);
    }),

    'sees earlier tokens as far as its windows reach': withModel(async model => {
      const { reach = TIME - 1 } = suite;
      const rows = tokens(model);
      for (let back = 0; back < TIME; back++) {
        const at = TIME - 1 - back;
        const changed = rows.map(row => row.with(at, (row[at]! + 1) % model.vocabSize));
        const last = (await differenceByTime(model, rows, changed)).at(-1)!;
        if (back <= reach) expect(last, `${back} tokens back`).toBeGreaterThan(1e-3);
        else expect(last, `${back} tokens back`).toBe(0);
      }
    }),

    'computes a batch like its rows alone': withModel(async model => {
      const rows = tokens(model);
      const batch = model.forward(rows);
      const alone = rows.map(row => model.forward([row]));
      const joined = tf.concat(alone);
      await expectClose(batch, joined, CLOSE);
      tf.dispose([batch, joined, ...alone]);
    }),

    'computes a padded row like the row alone': withModel(async model => {
      const [short, long] = tokens(model) as [number[], number[]];
      const length = 6;
      const padded = short.map((token, i) => (i < length ? token : 0));
      const attentionMask = [padded.map((_, i) => Number(i < length)), long.map(() => 1)];
      const batch = model.forward([padded, long], { attentionMask });
      const rows = [
        [model.forward([short.slice(0, length)]), tf.slice(batch, [0, 0, 0], [1, length, -1])],
        [model.forward([long]), tf.slice(batch, [1, 0, 0], [1, -1, -1])],
      ] as const;
      for (const [alone, inBatch] of rows) await expectClose(inBatch, alone, CLOSE);
      tf.dispose([batch, ...rows.flat()]);
    }),

    'keeps the texts of a row apart, or refuses such rows': withModel(async model => {
      const [first, second] = tokens(model) as [number[], number[]];
      const texts = [first.slice(0, 5), second.slice(0, 1), second];
      const row = texts.flat().slice(0, TIME);
      const positions = texts.flatMap(text => text.map((_, i) => i)).slice(0, TIME);
      if (model.takesPositions !== true) {
        expect(() => model.forward([row, row], { positions: [positions, positions] })).toThrow(
          'which reads no positions',
        );
        return;
      }
      const packed = model.forward([row, first], { positions: [positions, first.map((_, i) => i)] });
      let start = 0;
      for (const text of [texts[0]!, texts[1]!, second.slice(0, TIME - 6)]) {
        const alone = model.forward([text]);
        const inRow = tf.slice(packed, [0, start, 0], [1, text.length, -1]);
        await expectClose(inRow, alone, CLOSE);
        tf.dispose([alone, inRow]);
        start += text.length;
      }
      const whole = model.forward([first]);
      const other = tf.slice(packed, [1, 0, 0], [1, -1, -1]);
      await expectClose(other, whole, CLOSE);
      tf.dispose([packed, whole, other]);
    }),

    'lets no token see the padding in front of it': withModel(async model => {
      const rows = tokens(model);
      const attentionMask = rows.map(row => row.map((_, i) => Number(i >= 3)));
      const other = rows.map(row => row.map((token, i) => (i < 3 ? (token + 5) % model.vocabSize : token)));
      const differences = await differenceByTime(model, rows, other, attentionMask);
      expect(Math.max(...differences.slice(3))).toBe(0);
      expect(differences[0]).toBeGreaterThan(0.01);
    }),

    'generates with its cache what it would without': withModel(async model => {
      const prompt = tokens(model)[0]!.slice(0, 3);
      const generated: number[] = [];
      for await (const token of suite.generate(model, prompt, { maxNewTokens: 16, stopTokens: [] })) {
        generated.push(token);
      }
      const sequence = [...prompt];
      while (sequence.length < prompt.length + 16) sequence.push(await mostProbableNext(model, sequence));
      expect(generated).toEqual(sequence.slice(prompt.length));
    }),

    'has the gradients of its loss': withModel(async model => {
      const variables = new Map([...model.parameters].map(([path, tensor]) => [path, tf.variable(tensor)]));
      const runnable = makeRunnable(model, variables, {}, new Set());
      const inputIds = tf.tensor2d(tokens(model), [2, TIME], 'int32');
      const rows = await labelledRows({ inputIds, labels: inputIds }, model.vocabSize);
      const loss = (): tf.Tensor => causalLoss(runnable, hiddenStates(runnable, inputIds), rows);
      const { worst, where } = await gradientCheck(loss, [...variables.values()], 2e-3, 2);
      expect(worst, `${where}: ${[...variables.keys()][Number(/\d+/.exec(where)?.[0])] ?? ''}`).toBeLessThan(0.02);
      tf.dispose([inputIds, ...variables.values()]);
    }),

    'gives out its logits and keeps nothing else': withModel(model => {
      const before = tf.memory().numTensors;
      const logits = model.forward(tokens(model));
      expect(logits.shape).toEqual([2, TIME, model.vocabSize]);
      expect(tf.memory().numTensors - before).toBe(1);
      logits.dispose();
    }),

    'takes other weights, as a model of its own': withModel(async model => {
      const before = model.forward(tokens(model));
      const name = [...model.parameters.keys()][1]!;
      const other = tf.tidy(() => tf.keep(tf.mul(model.parameters.get(name)!, 1.5)));
      const changed = model.withParameters(new Map([[name, other]]));
      const own = changed.parameters.get([...model.parameters.keys()][0]!)!;
      const after = changed.forward(tokens(model));
      expect(await largestDifference(before, after)).toBeGreaterThan(1e-4);
      changed.dispose();
      changed.dispose();
      expect([other.isDisposed, own.isDisposed]).toEqual([true, true]);
      const again = model.forward(tokens(model));
      expect(await largestDifference(before, again)).toBe(0);
      tf.dispose([before, after, again]);

      const misshapen = tf.zeros([1]);
      expect(() => model.withParameters(new Map([[name, misshapen]]))).toThrow(`this tensor cannot replace '${name}'`);
      expect(() => model.withParameters(new Map([[`${name}x`, misshapen]]))).toThrow(`has no weight '${name}x'`);
      misshapen.dispose();
    }),
  };
}

/** Two rows of tokens, the same on every call. */
function tokens({ vocabSize }: Model): number[][] {
  const random = seededRandom(17);
  return [0, 1].map(() => Array.from({ length: TIME }, () => Math.floor(random() * vocabSize)));
}

/** Something to run a branch on. */
function states({ hiddenSize }: Model): tf.Tensor {
  const random = seededRandom(19);
  const values = Float32Array.from({ length: 2 * TIME * hiddenSize }, () => random.normal());
  return tf.tensor3d(values, [2, TIME, hiddenSize]);
}

function isLinear(kind: ModuleInfo['kind']): boolean {
  return kind === 'linear' || kind === 'conv1d';
}

function weightShape({ kind, inFeatures, outFeatures }: ModuleInfo): number[] {
  if (kind === 'norm') return [outFeatures];
  return kind === 'linear' ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
}

function recordingHooks(): { linears: [string, unknown][]; keyValues: string[]; embeds: string[]; hooks: Hooks } {
  const linears: [string, unknown][] = [];
  const keyValues: string[] = [];
  const embeds: string[] = [];
  const hooks: Hooks = {
    linear(name, x, base, p) {
      linears.push([name, p]);
      return base(x);
    },
    keyValue(name, pair) {
      keyValues.push(name);
      return pair;
    },
    embed(name, x) {
      embeds.push(name);
      return x;
    },
  };
  return { linears, keyValues, embeds, hooks };
}

async function expectGolden(model: Model, golden: GoldenLogits): Promise<void> {
  const { inputIds, attentionMask, logits, tolerance } = golden;
  const ours = model.forward(inputIds, attentionMask && { attentionMask });
  const [batch, time, vocabSize] = ours.shape as [number, number, number];
  expect([batch, time, vocabSize]).toEqual([logits.length, logits[0]!.length, logits[0]![0]!.length]);
  const values = await ours.data();
  ours.dispose();
  let worst = 0;
  for (let row = 0; row < batch; row++) {
    for (let t = 0; t < time; t++) {
      if (attentionMask?.[row]?.[t] === 0) continue;
      for (let token = 0; token < vocabSize; token++) {
        const difference = values[(row * time + t) * vocabSize + token]! - logits[row]![t]![token]!;
        worst = Math.max(worst, Math.abs(difference));
      }
    }
  }
  expect(worst).toBeLessThan(tolerance);
}

async function largestDifference(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  const [x, y] = [Float32Array.from(await a.data()), Float32Array.from(await b.data())];
  return x.reduce((worst, value, i) => Math.max(worst, Math.abs(value - y[i]!)), 0);
}

async function expectClose(actual: tf.Tensor, expected: tf.Tensor, tolerance: number): Promise<void> {
  expect(actual.shape).toEqual(expected.shape);
  expect(await largestDifference(actual, expected)).toBeLessThanOrEqual(tolerance);
}

/** The largest difference between the logits of two batches, for each position. */
async function differenceByTime(
  model: Model,
  a: number[][],
  b: number[][],
  attentionMask?: number[][],
): Promise<number[]> {
  const options = attentionMask && { attentionMask };
  const [x, y] = [model.forward(a, options), model.forward(b, options)];
  const differences = tf.tidy(() => tf.max(tf.abs(tf.sub(x, y)), [0, 2]));
  const result = Array.from(await differences.data());
  tf.dispose([x, y, differences]);
  return result;
}

async function mostProbableNext(model: Model, sequence: readonly number[]): Promise<number> {
  const logits = model.forward([sequence]);
  const last = Float32Array.from(await logits.data()).slice(-model.vocabSize);
  logits.dispose();
  return last.reduce((best, value, i) => (value > last[best]! ? i : best), 0);
}
