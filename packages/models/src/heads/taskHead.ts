import { problem } from '@dropbp/basics';
import { findTokenHead, type Head, type Model } from '@dropbp/core';
import type { Definition } from '../architectures/architecture.ts';
import type { RawConfig } from '../architectures/configReader.ts';
import { linearLayer } from '../layers/linearLayer.ts';
import { moduleInfo } from '../layers/moduleInfo.ts';
import { labelNames } from './labelNames.ts';

/** What a head that gives no text is for: a label for a whole text, or for each token. */
export type HeadTask = 'sequence-classification' | 'token-classification';

/** How transformers ends the names of their classes. */
const classEnds: Readonly<Record<HeadTask, string>> = {
  'sequence-classification': 'ForSequenceClassification',
  'token-classification': 'ForTokenClassification',
};

/** The task that the class in a `config.json` is for; undefined for one that writes text. */
export function headTask({ architectures }: RawConfig): HeadTask | undefined {
  const [name] = Array.isArray(architectures) ? (architectures as unknown[]) : [];
  const found = Object.entries(classEnds).find(([, end]) => typeof name === 'string' && name.endsWith(end));
  return found?.[0] as HeadTask | undefined;
}

/** The class of transformers for a task, by that which writes text: `'LlamaForSequenceClassification'`. */
export function classFor({ className }: Pick<Definition, 'className'>, task: HeadTask): string {
  return className.replace(
    /(ForCausalLM|LMHeadModel|ForSequenceClassification|ForTokenClassification)$/,
    classEnds[task],
  );
}

/**
 * The definition with the head that its configuration asks for: a classifier's, or the one that writes text.
 *
 * @throws Problem for a classifier that is made of an encoder
 */
export function withTaskHead(config: RawConfig, definition: Definition): Definition {
  const task = headTask(config);
  if (task === undefined) return definition;
  const { hiddenSize, modules: others } = definition;
  const old = findTokenHead(definition);
  if (old === undefined) throw noEncoderHead(definition);
  const isOfToken = task === 'token-classification';
  // Source: transformers 5.24, modeling_layers.py, modeling_gpt2.py, modeling_gpt_neox.py.
  const isClassifier = isOfToken && ['gpt2', 'gpt_neox'].includes(definition.architecture);
  const path = isClassifier ? 'classifier' : 'score';
  const hasBias = isOfToken && (isClassifier || config.token_classification_bias !== false);
  const modules = new Map([...others].filter(([name]) => name !== old.path));
  modules.set(path, { ...moduleInfo.linear(hiddenSize, labelNames(config).length, hasBias), isOutput: true });
  const isOwn = (name: string): boolean => name.startsWith(`${path}.`);
  const isOld = (name: string): boolean => name === old.weight || name.startsWith(`${old.path}.`);
  const head: Head = {
    path,
    weight: `${path}.weight`,
    normalize: old.normalize,
    project: (x, p, hooks) => linearLayer(path, x, p, hooks),
  };
  return {
    ...definition,
    className: classFor(definition, task),
    modules,
    head,
    isEmbeddingParameter: name => definition.isEmbeddingParameter(name) && !isOwn(name),
    isHeadParameter: name => isOwn(name) || (definition.isHeadParameter(name) && !isOld(name)),
    initialDeviation: module => definition.initialDeviation(module === path ? old.path : module),
  };
}

/** What a classifier is for. */
export interface ClassifierHead {
  /** A label for a whole text, or for each token. */
  readonly task: HeadTask;
  /** Names of the labels, in the order of the outputs. */
  readonly labels: readonly string[];
}

/** The task and the labels of a model that is a classifier; undefined for one that writes text. */
export function classifierHead({ config }: Pick<Model, 'config'>): ClassifierHead | undefined {
  const task = headTask(config);
  return task === undefined ? undefined : { task, labels: labelNames(config) };
}

/** The error of a classifier that is made of an encoder, whose heads in transformers are others. */
export function noEncoderHead({ architecture }: Pick<Definition, 'architecture'>): Error {
  return problem('models', {
    what: `classifiers of '${architecture}' are not supported: its heads are not those of models that write text`,
    fix: 'take a model that writes text, such as Llama, for classification',
  });
}
