import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Branch } from '../contract/branch.ts';
import type { Model } from '../contract/model.ts';
import { checkAlive, disposeOnce } from './lifetime.ts';
import { earlyParameters } from './pass/earlyGradients.ts';
import { leadsToTrainable, receivesGradient, trainedBranches, trainsEmbedding } from './pass/gradientReach.ts';
import { attachedTensors } from './prepareAdapter.ts';
import { asRunnable, makeRunnable, textPositions, withTensors, type Runnable } from './runnable.ts';

beforeAll(() => tf.setBackend('cpu'));

const branch = (block: string, name: string, more: Partial<Branch> = {}): Branch => ({
  ...{ path: `${block}.${name}`, block, modules: [name], kind: 'mlp', flops: () => 0, apply: x => x },
  ...more,
});
const branches = [
  ...[branch('layers.0', 'attn'), branch('layers.0', 'mlp')],
  ...[branch('layers.1', 'attn'), branch('layers.1', 'mlp', { sharesInput: true })],
];
const model = {
  ...{ branches, parameters: new Map(), maxPositions: 64 },
  isEmbeddingParameter: (name: string) => name.startsWith('embed.'),
} as unknown as Model;

/** What is trained is a variable; everything else is a constant. */
function runnableWith(...trained: string[]): Runnable {
  const names = ['embed.weight', 'layers.0.attn.w', 'layers.0.mlp.w', 'layers.1.attn.w', 'layers.1.mlp.w', 'head.weight']; // prettier-ignore
  const tensors = new Map(names.map(name => [name, tf.scalar(1) as tf.Tensor]));
  for (const name of trained) tensors.set(name, tf.variable(tf.scalar(1)));
  return makeRunnable(model, tensors, {}, new Set());
}

describe('makeRunnable', () => {
  it('gives each branch what its modules read, by names below its block, and leaves the rest outside', () => {
    const { branchScopes, outerScope } = runnableWith();
    expect(branchScopes.map(Object.keys)).toEqual([['attn.w'], ['mlp.w'], ['attn.w'], ['mlp.w']]);
    expect(Object.keys(outerScope)).toEqual(['embed.weight', 'head.weight']);
  });
  it('gives a tensor to all branches that share its module, and takes no beginning of a name for a module', () => {
    const norm = { modules: ['norm', 'attn'] };
    const shared = [branch('layers.0', 'attn', norm), branch('layers.0', 'mlp', { modules: ['norm', 'mlp'] })];
    const names = [
      'layers.0.norm.weight',
      'layers.0.attn.q.lora_A.weight',
      'layers.0.attn2.weight',
      'layers.00.attn.w',
    ];
    const tensors = new Map(names.map(name => [name, tf.scalar(1) as tf.Tensor]));
    const { branchScopes, outerScope } = makeRunnable({ ...model, branches: shared }, tensors, {}, new Set());
    expect(branchScopes.map(Object.keys)).toEqual([['norm.weight', 'attn.q.lora_A.weight'], ['norm.weight']]);
    expect(Object.keys(outerScope)).toEqual(['layers.0.attn2.weight', 'layers.00.attn.w']);
  });
});

describe('withTensors', () => {
  it('adds tensors to the scopes of a copy, and changes nothing where there are none', () => {
    const runnable = runnableWith();
    const mask = tf.scalar(0);
    const masked = withTensors(runnable, new Map([['layers.1.attn.mask', mask]]));
    expect(masked.branchScopes[2]).toEqual({ ...runnable.branchScopes[2], 'attn.mask': mask });
    expect(runnable.branchScopes[2]).not.toHaveProperty('attn.mask');
    expect(withTensors(runnable, new Map())).toBe(runnable);
  });
});

it('asRunnable takes what compose() returns, a runnable, or a plain model', () => {
  const runnable = runnableWith();
  expect(asRunnable({ internal: runnable })).toBe(runnable);
  expect(asRunnable(runnable)).toBe(runnable);
  expect(asRunnable(model)).toMatchObject({ model, hooks: {}, adaptedModules: new Set() });
});

it('textPositions leaves out those of virtual tokens and of keys in front', () => {
  expect(textPositions(runnableWith())).toBe(64);
  expect(textPositions({ ...runnableWith(), virtualTokens: 5, virtualKeys: 3 })).toBe(56);
});

it('attachedTensors reads an alias as the tensor that it names', () => {
  const [weight, own] = [tf.scalar(1), tf.variable(tf.scalar(2))];
  const attachment = { parameters: new Map([['a.lora', own]]), constants: new Map(), aliases: new Map([['b.lora', 'a.lora']]) }; // prettier-ignore
  const tensors = attachedTensors({ parameters: new Map([['a.weight', weight]]) }, attachment);
  expect([...tensors]).toEqual([['a.weight', weight], ['a.lora', own], ['b.lora', own]]); // prettier-ignore
});

describe('what a gradient reaches', () => {
  it('leads through every branch behind the first that is trained, and not through a parallel one', () => {
    expect(leadsToTrainable(runnableWith())).toEqual([false, false, false, false]);
    expect(leadsToTrainable(runnableWith('layers.0.mlp.w'))).toEqual([false, true, true, true]);
    // The last branch reads what the one beside it reads.
    expect(leadsToTrainable(runnableWith('layers.1.attn.w'))).toEqual([false, false, true, false]);
    expect(leadsToTrainable(runnableWith('layers.1.mlp.w'))).toEqual([false, false, false, true]);
    expect(leadsToTrainable(runnableWith('embed.weight'))).toEqual([true, true, true, true]);
    expect(leadsToTrainable(runnableWith('head.weight'))).toEqual([false, false, false, false]);
  });
  it('names the branches that are trained themselves, and tells an embedding from a head', () => {
    expect(trainedBranches(runnableWith('layers.0.mlp.w', 'head.weight'))).toEqual([false, true, false, false]);
    expect(trainsEmbedding(runnableWith('embed.weight'))).toBe(true);
    expect(trainsEmbedding(runnableWith('head.weight', 'layers.0.attn.w'))).toBe(false);
  });
  it('ends where all trained branches are dropped, unless something outside is trained', () => {
    const dropped = [false, true, true, true];
    expect(receivesGradient(runnableWith('layers.0.mlp.w'), dropped)).toBe(false);
    expect(receivesGradient(runnableWith('layers.0.attn.w'), dropped)).toBe(true);
    expect(receivesGradient(runnableWith('layers.0.mlp.w', 'head.weight'), dropped)).toBe(true);
  });
  it('is final early for parameters that one branch alone reads', () => {
    expect([...earlyParameters(runnableWith('layers.0.mlp.w', 'head.weight'))]).toEqual(['layers.0.mlp.w']);
    const shared = [
      branch('layers.0', 'attn', { modules: ['norm'] }),
      branch('layers.0', 'mlp', { modules: ['norm'] }),
    ];
    const tensors = new Map([['layers.0.norm.w', tf.variable(tf.scalar(1))]]);
    expect(earlyParameters(makeRunnable({ ...model, branches: shared }, tensors, {}, new Set())).size).toBe(0);
  });
});

describe('the life of tensors', () => {
  it('checkAlive names the one that was disposed, in a branch or outside', () => {
    for (const name of ['layers.1.mlp.w', 'head.weight']) {
      const runnable = runnableWith();
      expect(() => checkAlive(runnable)).not.toThrow();
      const below = name === 'head.weight' ? runnable.outerScope[name]! : runnable.branchScopes[3]!['mlp.w']!;
      below.dispose();
      expect(() => checkAlive(runnable)).toThrow(`'${name.replace('layers.1.', '')}' was disposed`);
    }
  });
  it('disposeOnce may be called twice', () => {
    const before = tf.memory().numTensors;
    const tensors = [tf.scalar(1), tf.scalar(2)];
    for (let i = 0; i < 2; i++) disposeOnce(tensors);
    expect(tf.memory().numTensors).toBe(before);
  });
});
