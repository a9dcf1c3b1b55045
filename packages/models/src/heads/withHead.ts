import * as tf from '@tensorflow/tfjs';
import { checkNumber, checkOptions, checkValue, problem, ranges, seededRandom } from '@dropbp/basics';
import { findTokenHead, type Model } from '@dropbp/core';
import { defineModel } from '../architectures/architectures.ts';
import type { RawConfig } from '../architectures/configReader.ts';
import { makeModel, originOf } from '../weights/makeModel.ts';
import { parameterShapes } from '../weights/parameterShapes.ts';
import { labelConfig } from './labelNames.ts';
import { classFor, noEncoderHead, type HeadTask } from './taskHead.ts';

/** Options of {@link withHead}. */
export interface HeadOptions {
  /** A label for a whole text, or for each token. */
  readonly task: HeadTask;
  /** Names of the labels, in the order of the outputs; one name for a number (regression). */
  readonly labels: readonly string[];
  /** The token that fills rows up, for transformers' `pad_token_id`. @defaultValue the configuration's, else its end token */
  readonly padToken?: number;
  /** Keys for `config.json`, such as `problem_type`. @defaultValue none */
  readonly config?: RawConfig;
  /** Seed of the head's random start, an integer. @defaultValue 0 */
  readonly seed?: number;
}

/**
 * The same model with a classifier as its head, as transformers' classes `…ForSequenceClassification` and `…ForTokenClassification`
 * have one. It starts at random. An adapter trains it with `modulesToSave`, as PEFT does. The caller owns the result; the given
 * model stays as it is.
 *
 * @throws Problem for a model that was not made by this package, or labels that are not usable
 *
 * @example
 * ```ts
 * const classifier = withHead(model, { task: 'sequence-classification', labels: ['no', 'yes'] });
 * ```
 */
export function withHead(model: Model, options: HeadOptions): Model {
  checkOptions('models', 'withHead()', options, ['task', 'labels', 'padToken', 'config', 'seed']);
  const { task, labels, padToken, config: more = {}, seed = 0 } = options;
  const tasks: readonly string[] = ['sequence-classification', 'token-classification'] satisfies HeadTask[];
  checkValue<unknown>('models', 'withHead(): task', task, value => tasks.includes(value as string), tasks.join(' or '));
  checkValue<unknown>('models', 'withHead(): labels', labels, areNames, 'names that differ, at least one');
  checkNumber('models', 'withHead(): seed', seed, ranges.integer);
  const origin = originOf(model);
  if (origin === undefined) {
    throw problem('models', {
      what: 'withHead(): this model was not made by loadModel() or createModel()',
      fix: 'give one that was',
    });
  }
  const pad = padToken ?? padOf(model.config);
  const config: RawConfig = {
    ...model.config,
    ...more,
    architectures: [classFor({ className: classOf(model) }, task)],
    ...labelConfig(labels),
    ...(pad !== undefined && { pad_token_id: pad }),
  };
  const definition = defineModel(config);
  const head = findTokenHead(definition);
  if (head === undefined) throw noEncoderHead(definition);
  const random = seededRandom(seed);
  const parameters = new Map<string, tf.Tensor>();
  for (const [name, shape] of parameterShapes(definition)) {
    const isOfHead = name.startsWith(`${head.path}.`);
    if (!isOfHead) parameters.set(name, tf.keep(model.parameters.get(name)!.clone()));
    else {
      const deviation = name.endsWith('.weight') ? definition.initialDeviation(head.path) : 0;
      const values = Float32Array.from(
        { length: tf.util.sizeFromShape([...shape]) },
        () => random.normal() * deviation,
      );
      parameters.set(name, tf.keep(tf.tensor(values, [...shape])));
    }
  }
  return makeModel(config, definition, parameters, origin);
}

function areNames(labels: unknown): boolean {
  if (!Array.isArray(labels) || labels.length === 0) return false;
  return labels.every(label => typeof label === 'string') && new Set(labels).size === labels.length;
}

/** The class that the model has now. */
function classOf({ config }: Model): string {
  return defineModel(config).className;
}

function padOf({ pad_token_id: pad, eos_token_id: end }: RawConfig): number | undefined {
  if (typeof pad === 'number') return pad;
  const first: unknown = Array.isArray(end) ? end[0] : end;
  return typeof first === 'number' ? first : undefined;
}
