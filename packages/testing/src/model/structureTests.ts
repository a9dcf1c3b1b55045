import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { seededRandom } from '@dropbp/basics';
import {
  findTokenHead,
  joinScope,
  makeRunnable,
  ownScope,
  plainRunnable,
  projectLogits,
  runPass,
  type Hooks,
  type Model,
  type ModuleInfo,
  type Scope,
} from '@dropbp/core';
import type { Tests } from '../describeSuite.ts';
import { expectClose, TIME, tokens, type ModelSuite, type WithModel } from './modelUnderTest.ts';

/** What a model says of its parts: branches, modules, parameters, hooks and FLOPs. */
export function structureTests(suite: ModelSuite, withModel: WithModel): Tests {
  return {
    'lists its branches in the order in which they run': withModel(model => {
      expect(model.branches.map(({ path }) => path)).toEqual(suite.branches);
      for (const { path, block } of model.branches) expect(path.startsWith(`${block}.`)).toBe(true);
    }),

    'shares one function among branches of equal structure': withModel(async model => {
      const { branches } = model;
      expect(new Set(branches.map(({ apply }) => apply)).size).toBe(suite.structures ?? 2);
      const again = model.withParameters(new Map());
      expect(again.branches.map(({ apply }) => apply)).toEqual(branches.map(({ apply }) => apply));
      expect(again.branches.map(({ join }) => join?.apply)).toEqual(branches.map(({ join }) => join?.apply));
      const pairs = branches.map(({ apply, join }) => [apply, join?.apply]);
      for (const [apply, join] of pairs) {
        const ofSame = new Set(pairs.filter(pair => pair[0] === apply).map(pair => pair[1]));
        expect([...ofSame], 'one join for each kind of branch').toEqual([join]);
      }
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
      const { modules, parameters, embedding } = model;
      const head = findTokenHead(model);
      for (const [parameter, { shape }] of parameters) {
        const at = parameter.lastIndexOf('.');
        const module = modules.get(parameter.slice(0, at));
        expect(module, parameter).toBeDefined();
        if (module!.experts !== undefined) {
          expect(shape, parameter).toEqual(module!.experts.parameters[parameter.slice(at + 1)]);
          continue;
        }
        expect(shape, parameter).toEqual(parameter.endsWith('.bias') ? [module!.outFeatures] : weightShape(module!));
        expect(parameter.endsWith('.bias') && !module!.hasBias, parameter).toBe(false);
      }
      for (const [path, { hasBias, experts }] of modules) {
        if (experts !== undefined) {
          for (const part of Object.keys(experts.parameters))
            expect(parameters.has(`${path}.${part}`), path).toBe(true);
          continue;
        }
        if (path !== head?.path) expect(parameters.has(`${path}.weight`), path).toBe(true);
        expect(parameters.has(`${path}.bias`), path).toBe(hasBias);
      }
      expect([...modules.values()].filter(({ isOutput }) => isOutput === true)).toHaveLength(
        head === undefined ? 0 : 1,
      );
      if (head !== undefined) {
        expect(parameters.has(head.weight)).toBe(true);
        expect(modules.get(head.path)?.isOutput).toBe(true);
      }
      expect(modules.get(embedding)?.kind).toBe('embedding');
    }),

    'gives every parameter to a branch, the embedding or the head': withModel(model => {
      for (const parameter of Object.keys(plainRunnable(model).outerScope)) {
        const readers = [model.isEmbeddingParameter(parameter), model.isHeadParameter(parameter)];
        expect(readers.includes(true), `whether someone reads ${parameter}`).toBe(true);
      }
      const head = findTokenHead(model);
      if (head !== undefined) expect(model.isHeadParameter(head.weight)).toBe(true);
      expect(model.isEmbeddingParameter(`${model.embedding}.weight`)).toBe(true);
    }),

    'reads in each branch every parameter of the modules that it names': withModel(model => {
      const { branchScopes } = plainRunnable(model);
      const x = states(model);
      tf.tidy(() => {
        const context = { shared: model.shared({ batch: 2, time: TIME }), isStart: true };
        model.branches.forEach((branch, i) => {
          const scope = branchScopes[i]!;
          const own = watch(ownScope(branch, scope));
          const result = branch.apply(x, own.scope, {}, context);
          expect(own.unread(), `what '${branch.path}' does not read`).toEqual([]);
          const ofJoin = watch(joinScope(branch, scope));
          branch.join?.apply(x, result, ofJoin.scope);
          expect(ofJoin.unread(), `what the join of '${branch.path}' does not read`).toEqual([]);
        });
      });
      x.dispose();
    }),

    'calls each hook once for each of its places': withModel(model => {
      const { linears, ofParameters, keyValues, embeds, hooks } = recordingHooks();
      const runnable = makeRunnable(model, model.parameters, hooks, new Set());
      const { branchScopes, outerScope } = runnable;
      const head = findTokenHead(model);
      tf.tidy(() => {
        const x = runPass(runnable, { inputIds: tf.tensor2d(tokens(model), [2, TIME], 'int32') });
        if (head !== undefined) projectLogits(head, head.normalize(x, outerScope), outerScope, hooks);
      });
      const expected = model.branches.flatMap(({ block, modules }, i) =>
        [...model.modules]
          .filter(([path, { kind }]) => isLinear(kind) && modules.some(name => path.startsWith(`${block}.${name}.`)))
          .map(([path]) => [path.slice(block.length + 1), branchScopes[i]]),
      );
      expect(linears.map(([name]) => name)).toEqual([...expected.map(([name]) => name), ...(head ? [head.path] : [])]);
      expect(expected.every(([, scope], i) => linears[i]![1] === scope)).toBe(true);
      const raw = model.branches.flatMap(({ block, modules }) => [...rawParameters(model, block, modules)]);
      expect(ofParameters).toEqual(raw.map(([name]) => name));
      const attentions = model.branches.filter(({ kind }) => kind === 'attention');
      expect(keyValues).toEqual(attentions.map(({ path, block }) => path.slice(block.length + 1)));
      expect(embeds).toEqual([model.embedding]);
    }),

    'counts the FLOPs of its products, attention by what each token sees': withModel(model => {
      for (const branch of model.branches) {
        const { kind, block, modules } = branch;
        const weights = [...model.modules]
          .filter(([path, info]) => isLinear(info.kind) && modules.some(name => path.startsWith(`${block}.${name}.`)))
          .reduce((sum, [, { inFeatures, outFeatures }]) => sum + inFeatures * outFeatures, 0);
        const active = [...rawParameters(model, block, modules).values()].reduce((sum, size) => sum + size, 0);
        const besides = (time: number): number => branch.flops({ batch: 1, time }) - 2 * time * (weights + active);
        // The first token sees one key, the second two; in an encoder each sees both.
        expect(besides(2)).toBe(((model.isCausal ?? true) ? 3 : 4) * besides(1));
        expect(besides(1) > 0).toBe(kind === 'attention');
        expect(branch.flops({ batch: 3, time: TIME })).toBe(3 * branch.flops({ batch: 1, time: TIME }));
      }
    }),
  };
}

/** Matrices of routers and experts below a block, each with the numbers of it that a token is multiplied with. */
function rawParameters(model: Model, block: string, modules: readonly string[]): Map<string, number> {
  const inBranch = [...model.modules].filter(([path]) => modules.some(name => path.startsWith(`${block}.${name}.`)));
  return new Map(
    inBranch.flatMap(([path, { kind, experts, inFeatures, outFeatures }]): [string, number][] => {
      const name = path.slice(block.length + 1);
      if (kind === 'router') return [[`${name}.weight`, inFeatures * outFeatures]];
      if (experts === undefined) return [];
      const matrices = Object.entries(experts.parameters).filter(([, shape]) => shape.length === 3);
      return matrices.map(([part, [, rows, columns]]) => [`${name}.${part}`, experts.perToken * rows! * columns!]);
    }),
  );
}

/** A scope that remembers which of its tensors were read. */
function watch(scope: Scope): { readonly scope: Scope; readonly unread: () => string[] } {
  const unread = new Set(Object.keys(scope));
  const watched = new Proxy(scope, {
    get(target, name: string) {
      unread.delete(name);
      return target[name];
    },
  });
  return { scope: watched, unread: () => [...unread] };
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
  return kind === 'linear' || kind === 'router' ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
}

interface RecordingHooks {
  readonly linears: [string, unknown][];
  readonly ofParameters: string[];
  readonly keyValues: string[];
  readonly embeds: string[];
  readonly hooks: Hooks;
}

function recordingHooks(): RecordingHooks {
  const ofParameters: string[] = [];
  const linears: [string, unknown][] = [];
  const keyValues: string[] = [];
  const embeds: string[] = [];
  const hooks: Hooks = {
    linear(name, x, base, p) {
      linears.push([name, p]);
      return base(x);
    },
    parameter(name, x, multiply, p) {
      ofParameters.push(name);
      return multiply(x, p[name]!);
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
  return { linears, ofParameters, keyValues, embeds, hooks };
}
