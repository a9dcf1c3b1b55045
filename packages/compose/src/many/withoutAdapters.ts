import { problem } from '@dropbp/basics';
import { forwardLogits, plainRunnable, type Model } from '@dropbp/core';
import type { ComposeOptions } from '../composeOptions.ts';
import { lossPass } from '../pass/gradientPass.ts';
import { chooseObjective } from '../pass/chooseObjective.ts';
import { readyBatch } from '../pass/readyBatch.ts';
import type { TunedAdapter } from '../tuned.ts';

/** The plain model in the place of one with an adapter: what needs none works, and the rest says that there is none. */
export function withoutAdapters(model: Model, options: ComposeOptions): TunedAdapter {
  const runnable = plainRunnable(model);
  const objective = chooseObjective(options);
  const refuse = (what: string) => (): never => {
    throw problem('compose', {
      what: `${what} needs an adapter, and none is in use here`,
      fix: 'call it outside withoutAdapter()',
    });
  };
  return {
    model,
    adapter: { name: 'none', attach: refuse('attach()') },
    parameters: new Map(),
    trainableCount: 0,
    forward: (tokens, options) => forwardLogits(runnable, tokens, options),
    loss: async batch => lossPass(runnable, await readyBatch(runnable, batch, { objective })),
    valueAndGradients: later(refuse('valueAndGradients()')),
    calibrate: later(refuse('calibrate()')),
    beginRun: refuse('beginRun()'),
    save: later(refuse('save()')),
    toFiles: later(refuse('toFiles()')),
    merge: refuse('merge()'),
    safeMerge: later(refuse('safeMerge()')),
    dispose: () => undefined,
    internal: { ...runnable, dropSchedule: undefined, objective },
  };
}

/** The same error, as a promise that fails. */
function later(refused: () => never): () => Promise<never> {
  return () => Promise.resolve().then(refused);
}
