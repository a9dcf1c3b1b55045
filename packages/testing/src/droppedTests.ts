import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';
import { joinScope, standInForEncoder, withTensors } from '@dropbp/core';
import {
  disturb,
  gradients,
  isTensor,
  lossOf,
  patterns,
  relativeDifference,
  stepOf,
  tokens,
  type Bound,
} from './boundAdapter.ts';
import { withConstantBranches } from './constantBranches.ts';
import type { Test, Tests } from './describeSuite.ts';
import { gradientCheck } from './gradientCheck.ts';

/** Between gradients that should be equal but for the order of sums, relative to the largest entry. */
const CLOSE = 1e-4;

/** What DropBP may change of an adapter's gradients, and what not. */
export function droppedTests(
  { isDetached = false }: { readonly isDetached?: boolean },
  withAdapter: (run: (bound: Bound) => unknown) => Test,
): Tests {
  return {
    'keeps the loss whatever is dropped, and trains what is not': withAdapter(async bound => {
      disturb(bound.attachment);
      const { attachment } = bound;
      const step = stepOf(attachment);
      const runnable = withTensors(bound.runnable, step);
      const pass = await lossOf(bound);
      const expected = pass.loss(runnable);
      const [loss] = await expected.data();
      expect(loss).toBeLessThan(Infinity);
      const { branchScopes, outerScope } = standInForEncoder(runnable);
      const encoded = (attachment.encoder?.reads ?? []).map(name => attachment.parameters.get(name)!);
      const ofJoins = bound.model.branches.map((branch, i) => Object.values(joinScope(branch, branchScopes[i]!)));
      for (const dropped of patterns(bound.model.branches.length, 40)) {
        const label = dropped.map(Number).join('');
        const received = dropped.flatMap((isDropped, i) => (isDropped ? ofJoins[i]! : Object.values(branchScopes[i]!)));
        const kept = new Set<tf.Tensor>([...received, ...Object.values(outerScope)]);
        if (encoded.some(parameter => kept.has(parameter))) encoded.forEach(parameter => kept.add(parameter));
        const { value, grads } = gradients(() => pass.loss(runnable, dropped), [...attachment.parameters.values()]);
        expect((await value.data())[0], label).toBe(loss);
        [...attachment.parameters].forEach(([name, parameter], i) =>
          expect(isTensor(grads[i]), `${name}, dropping ${label}`).toBe(kept.has(parameter)),
        );
        tf.dispose([value, ...grads.filter(isTensor)]);
      }
      tf.dispose([expected, ...step.values()]);
      pass.dispose();
    }),

    'has the gradients of a loss in which the dropped branches are constants': withAdapter(async bound => {
      disturb(bound.attachment);
      const { attachment, model } = bound;
      const step = stepOf(attachment);
      const runnable = withTensors(bound.runnable, step);
      const pass = await lossOf(bound);
      const parameters = [...attachment.parameters.values()];
      for (const dropped of patterns(model.branches.length, 6)) {
        const label = `dropping ${dropped.map(Number).join('')}`;
        const constant = withConstantBranches(runnable, tokens(model), dropped);
        const expected = gradients(() => pass.loss(constant.runnable), parameters);
        const actual = gradients(() => pass.loss(runnable, dropped), parameters);
        for (const i of parameters.keys()) {
          expect(isTensor(actual.grads[i]), label).toBe(isTensor(expected.grads[i]));
          if (!isTensor(expected.grads[i])) continue;
          expect(await relativeDifference(actual.grads[i]!, expected.grads[i]), label).toBeLessThan(CLOSE);
        }
        tf.dispose([expected.value, actual.value, ...[...expected.grads, ...actual.grads].filter(isTensor)]);
        constant.dispose();
      }
      tf.dispose([...step.values()]);
      pass.dispose();
    }),

    'has, with dropped branches, the gradients of finite differences': withAdapter(async bound => {
      disturb(bound.attachment);
      const { attachment, model } = bound;
      const step = stepOf(attachment);
      const runnable = withTensors(bound.runnable, step);
      const pass = await lossOf(bound);
      // Every other branch is kept: first the even ones, then the odd ones.
      let hasMoved = false;
      for (const kept of [0, 1]) {
        const dropped = model.branches.map((_, i) => i % 2 !== kept);
        const constant = withConstantBranches(runnable, tokens(model), dropped);
        const all = [...attachment.parameters.values()];
        const { value, grads } = gradients(() => pass.loss(runnable, dropped), all);
        const moving = all.filter((_, i) => isTensor(grads[i]));
        tf.dispose([value, ...grads.filter(isTensor)]);
        hasMoved ||= moving.length > 0;
        if (moving.length > 0 && !isDetached) {
          const { worst, where } = await gradientCheck(() => pass.loss(constant.runnable), moving, 2e-3, 1);
          expect(worst, `${where}, dropping ${dropped.map(Number).join('')}`).toBeLessThan(0.02);
        }
        constant.dispose();
      }
      expect(hasMoved, 'whether a kept branch trains anything').toBe(true);
      tf.dispose([...step.values()]);
      pass.dispose();
    }),
  };
}
