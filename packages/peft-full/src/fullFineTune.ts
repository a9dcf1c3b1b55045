import * as tf from '@tensorflow/tfjs';
import { checkOptions, problem } from '@dropbp/basics';
import { disposeOnce, weightForm, type Adapter, type Attachment, type Model } from '@dropbp/core';
import { checkFilter, checkUsed, covers, type Filter } from './filter.ts';
import { checkParts, checkPartsPresent, isOfParts, type Part } from './parts.ts';

/** What {@link fullFineTune} takes: what is trained must pass all of it. */
export interface FullFineTuneOptions {
  /**
   * Train weights of these kinds alone: `['biases']` is BitFit (Ben Zaken et al. 2021), those of norms included; `['norms']`
   * are all weights of norms. @defaultValue all kinds
   */
  readonly parts?: readonly Part[];
  /** Train these alone: `['lm_head', 'layers.3.mlp']`. @defaultValue all weights */
  readonly include?: Filter;
  /** Leave these frozen: `['embed_tokens']`. @defaultValue none */
  readonly exclude?: Filter;
  /**
   * Take the trained weights away from the model, which cannot be used without what is tuned any more: saves their memory once
   * they have changed. @defaultValue false: the model stays as it is
   */
  readonly takeOver?: boolean;
}

/**
 * Full fine-tuning: trains the model's own weights, all or some. Its parameters have their names, and share the memory of
 * the model's weights until they are first changed; the model itself stays as it is.
 *
 * @throws Problem on options that are unknown; when attached, on a filter or a part that matches nothing
 *
 * @example
 * ```ts
 * const tuned = compose(model, fullFineTune({ exclude: ['embed_tokens'] }));
 * ```
 */
export function fullFineTune(options: FullFineTuneOptions = {}): Adapter {
  checkOptions('peft-full', 'fullFineTune()', options, ['parts', 'include', 'exclude', 'takeOver']);
  const { parts, include, exclude, takeOver = false } = options;
  if (typeof takeOver !== 'boolean') {
    throw problem('peft-full', { what: 'takeOver is not usable', got: takeOver, expected: 'true or false' });
  }
  if (parts !== undefined) checkParts(parts);
  if (include !== undefined) checkFilter('include', include);
  if (exclude !== undefined) checkFilter('exclude', exclude);
  return {
    name: 'full fine-tuning',
    attach(model) {
      if (parts !== undefined) checkPartsPresent(parts, model);
      if (include !== undefined) checkUsed('include', include, model);
      if (exclude !== undefined) checkUsed('exclude', exclude, model);
      const isTrained = (name: string): boolean =>
        (parts === undefined || isOfParts(parts, name, model)) &&
        (include === undefined || covers(include, name)) &&
        (exclude === undefined || !covers(exclude, name));
      const names = [...model.parameters.keys()].filter(isTrained);
      if (names.length === 0) {
        throw problem('peft-full', { what: 'the filters leave no weight to train', got: options });
      }
      return attachFull(model, names, takeOver);
    },
  };
}

function attachFull(model: Model, names: readonly string[], takeOver: boolean): Attachment {
  const weights = names.map(name => model.parameters.get(name)!);
  const taken = weights.findIndex(weight => weight.isDisposed);
  if (taken >= 0) {
    throw problem('peft-full', {
      what: `the model no longer has '${names[taken]!}'`,
      expected: 'a model whose weights were neither disposed nor taken over',
      fix: 'load the model again',
    });
  }
  const packed = weights.findIndex(weight => weightForm(weight) !== 'f32');
  if (packed >= 0) {
    throw problem('peft-full', {
      what: `'${names[packed]!}' is kept as ${weightForm(weights[packed]!)} and cannot be trained`,
      fix: "load the model with weights: 'f32', or leave the weight out",
    });
  }
  const parameters = new Map(names.map((name, i) => [name, tf.variable(weights[i]!)]));
  if (takeOver) tf.dispose(weights);
  return {
    parameters,
    constants: new Map(),
    hooks,
    adaptedModules: new Set(),
    mergedWeights: () => new Map([...parameters].map(([name, variable]) => [name, variable.clone()])),
    dispose: () => disposeOnce(parameters.values()),
  };
}

// One object for every attachment, so that an engine compiles once for all of them.
const hooks = {};
