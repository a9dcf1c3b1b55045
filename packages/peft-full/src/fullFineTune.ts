import * as tf from '@tensorflow/tfjs';
import { checkOptions, nearNames, problem } from '@dropbp/basics';
import type { Adapter, Attachment, Model } from '@dropbp/core';

/** What {@link fullFineTune} takes. Filters are names of weights or modules, or parts of them between dots. */
export interface FullFineTuneOptions {
  /** Train these alone: `['lm_head', 'layers.3.mlp']`. @defaultValue all weights */
  readonly include?: readonly string[];
  /** Leave these frozen: `['embed_tokens']`. @defaultValue none */
  readonly exclude?: readonly string[];
}

/**
 * Full fine-tuning: trains the model's own weights. Its parameters have their names, and share the memory of the
 * model's weights until they are first changed; the model itself stays as it is.
 *
 * @throws Problem on options that are unknown; when attached, on a filter that matches nothing
 *
 * @example
 * ```ts
 * const tuned = compose(model, fullFineTune({ exclude: ['embed_tokens'] }));
 * ```
 */
export function fullFineTune(options: FullFineTuneOptions = {}): Adapter {
  checkOptions('peft-full', 'fullFineTune()', options, ['include', 'exclude']);
  const { include, exclude = [] } = options;
  checkFilters('include', include ?? []);
  checkFilters('exclude', exclude);
  return {
    name: 'full fine-tuning',
    attach(model) {
      checkUsed('include', include ?? [], model);
      checkUsed('exclude', exclude, model);
      const isTrained = (name: string): boolean =>
        (include === undefined || include.some(filter => covers(filter, name))) &&
        !exclude.some(filter => covers(filter, name));
      const names = [...model.parameters.keys()].filter(isTrained);
      if (names.length === 0) {
        throw problem('peft-full', { what: 'the filters leave no weight to train', got: { include, exclude } });
      }
      return attachFull(model, names);
    },
  };
}

function attachFull(model: Model, names: readonly string[]): Attachment {
  const parameters = new Map(names.map(name => [name, tf.variable(model.parameters.get(name)!)]));
  return {
    parameters,
    constants: new Map(),
    hooks,
    adaptedModules: new Set(),
    mergedWeights: () => new Map([...parameters].map(([name, variable]) => [name, variable.clone()])),
    dispose() {
      for (const variable of parameters.values()) if (!variable.isDisposed) variable.dispose();
    },
  };
}

// One object for every attachment, so that an engine compiles once for all of them.
const hooks = {};

/** Whether a filter names the weight or a module that it is in. */
function covers(filter: string, name: string): boolean {
  return `.${name}.`.includes(`.${filter}.`);
}

function checkFilters(option: string, filters: unknown): void {
  if (Array.isArray(filters) && filters.every(filter => typeof filter === 'string' && filter !== '')) return;
  throw problem('peft-full', { what: `${option} is not usable`, got: filters, expected: 'a list of names' });
}

function checkUsed(option: string, filters: readonly string[], model: Model): void {
  const names = [...model.parameters.keys()];
  const unused = filters.filter(filter => !names.some(name => covers(filter, name)));
  if (unused.length === 0) return;
  const parts = new Set(names.flatMap(name => [name, ...name.split('.')]));
  const near = unused.flatMap(filter => nearNames(filter, parts));
  throw problem('peft-full', {
    what: `${option}: ${unused.map(filter => `'${filter}'`).join(', ')} names no weight of the model`,
    expected: 'names of weights or modules, or parts of them between dots',
    ...(near.length > 0 && { fix: `did you mean ${near.map(name => `'${name}'`).join(' or ')}?` }),
  });
}
