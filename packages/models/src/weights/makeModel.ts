import * as tf from '@tensorflow/tfjs';
import { isObject, nearNames, problem } from '@dropbp/basics';
import { findTokenHead, disposeOnce, forwardLogits, plainRunnable, type Model, type Runnable } from '@dropbp/core';
import type { Definition } from '../architectures/architecture.ts';
import { defineModel } from '../architectures/architectures.ts';
import type { RawConfig } from '../architectures/configReader.ts';
import { readCompanions } from './companions.ts';
import type { ModelFiles } from './modelFiles.ts';
import { parameterShapes } from './parameterShapes.ts';
import { saveModel, type StoredDtype } from './saveModel.ts';

/** Where a model's weights came from. */
export interface Origin {
  /** The folder or hub id; `''` for a model that was made from random numbers. */
  readonly source: string;
  /** Of a hub id: the revision that was asked for. */
  readonly revision?: string;
  /** Tokens of the source, where the vocabulary was resized. */
  readonly vocabSize?: number;
  /** See `Model.endTokens`. */
  readonly endTokens?: readonly number[];
  /** The files of the checkpoint, whose tokenizer is saved with the model. */
  readonly files?: ModelFiles | undefined;
  /** The type that each weight was stored as, by name. */
  readonly dtypes: ReadonlyMap<string, StoredDtype>;
}

/**
 * A definition with its weights.
 *
 * @param parameters - every weight, with the shapes of {@link parameterShapes}; the model owns them
 */
export function makeModel(
  config: RawConfig,
  definition: Definition,
  parameters: ReadonlyMap<string, tf.Tensor>,
  origin: Origin,
): Model {
  let runnable: Runnable | undefined;
  const model: Model = {
    ...definition,
    config,
    source: origin.source,
    ...(origin.endTokens && { endTokens: origin.endTokens }),
    ...(origin.revision !== undefined && { revision: origin.revision }),
    ...((origin.vocabSize ?? definition.vocabSize) !== definition.vocabSize && { sourceVocabSize: origin.vocabSize! }),
    parameters,
    forward(tokens, options) {
      runnable ??= plainRunnable(model);
      return forwardLogits(runnable, tokens, options);
    },
    withParameters(replaced) {
      const [nextConfig, nextDefinition] = configFor(config, definition, replaced);
      const shapes = parameterShapes(nextDefinition);
      checkReplaced(replaced, shapes);
      checkKept(parameters, replaced, shapes);
      // A clone shares the memory, so that each model frees its own and neither the other's.
      const next = new Map(
        [...shapes.keys()].map(name => [name, replaced.get(name) ?? tf.keep(parameters.get(name)!.clone())]),
      );
      return makeModel(nextConfig, nextDefinition, next, { vocabSize: definition.vocabSize, ...origin });
    },
    save: (directory, options) => saveModel(config, parameters, { ...origin, ...definition }, directory, options),
    companions: () => readCompanions(origin.files),
    dispose: () => disposeOnce(parameters.values()),
  };
  origins.set(model, { vocabSize: definition.vocabSize, ...origin });
  return model;
}

const origins = new WeakMap<Model, Origin>();

/** Where the weights of a model came from; undefined for one that was not made here. */
export function originOf(model: Model): Origin | undefined {
  return origins.get(model);
}

/** A tied head that is given a weight of its own is tied no longer; a table of other length makes another vocabulary. */
function configFor(
  config: RawConfig,
  definition: Definition,
  replaced: ReadonlyMap<string, tf.Tensor>,
): [RawConfig, Definition] {
  const head = findTokenHead(definition);
  const own = head && `${head.path}.weight`;
  const isUntied = own !== undefined && head?.weight !== own && replaced.has(own);
  const tokens = replaced.get(`${definition.embedding}.weight`)?.shape[0] ?? definition.vocabSize;
  if (!isUntied && tokens === definition.vocabSize) return [config, definition];
  const next = {
    ...(tokens === definition.vocabSize ? config : withVocabulary(config, tokens)),
    ...(isUntied && { tie_word_embeddings: false }),
  };
  return [next, defineModel(next)];
}

/** A model with images has the configuration of its texts inside. */
function withVocabulary(config: RawConfig, tokens: number): RawConfig {
  const { text_config: inner } = config;
  const isInside = isObject(inner) && 'vocab_size' in inner;
  return {
    ...config,
    ...((!isInside || 'vocab_size' in config) && { vocab_size: tokens }),
    ...(isInside && { text_config: { ...inner, vocab_size: tokens } }),
  };
}

/** What is not replaced has to fit still. */
function checkKept(
  parameters: ReadonlyMap<string, tf.Tensor>,
  replaced: ReadonlyMap<string, tf.Tensor>,
  shapes: ReadonlyMap<string, readonly number[]>,
): void {
  for (const [name, shape] of shapes) {
    const kept = replaced.has(name) ? undefined : parameters.get(name);
    if (kept === undefined || String(kept.shape) === String(shape)) continue;
    throw problem('models', {
      what: `'${name}' does not fit the vocabulary that the new embedding makes`,
      got: kept.shape,
      expected: `[${String(shape)}]`,
      fix: 'replace it too: resizeTokenEmbeddings() does so',
    });
  }
}

function checkReplaced(replaced: ReadonlyMap<string, tf.Tensor>, shapes: ReadonlyMap<string, readonly number[]>): void {
  for (const [name, tensor] of replaced) {
    const shape = shapes.get(name);
    if (shape === undefined) {
      const near = nearNames(name, shapes.keys());
      throw problem('models', {
        what: `the model has no weight '${name}'`,
        ...(near.length > 0 && { fix: `the nearest are ${near.join(', ')}` }),
      });
    }
    if (String(tensor.shape) !== String(shape) || tensor.dtype !== 'float32') {
      throw problem('models', {
        what: `this tensor cannot replace '${name}'`,
        got: `${tensor.dtype} [${String(tensor.shape)}]`,
        expected: `float32 [${String(shape)}]`,
      });
    }
  }
}
