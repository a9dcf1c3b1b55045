import { checkOptions, isObject, nodeModule, problem, readTextIfThere } from '@dropbp/basics';
import { compose, findBase, loadAdapter, readAdapter } from '@dropbp/compose';
import type { Model, Subject } from '@dropbp/core';
import { loadTokenizer, type Tokenizer } from '@dropbp/data';
import {
  classifierHead,
  findModelFolder,
  loadModel,
  withHead,
  type HeadTask,
  type LoadModelOptions,
} from '@dropbp/models';
import { classify, type Classification, type ClassifyOptions } from './classify.ts';

/** Options of {@link loadClassifier}. */
export interface LoadClassifierOptions extends Omit<LoadModelOptions, 'hub'> {
  /** The base model of an adapter. @defaultValue the one that the adapter names */
  readonly base?: string;
  /** Names of the labels, in the order of the outputs. @defaultValue those of `config.json`, else LABEL_0, LABEL_1, … */
  readonly labels?: readonly string[];
}

/** A classifier with its tokenizer. */
export interface Classifier {
  /** What runs it, for `classifyTokens` and for training on. */
  readonly subject: Subject;
  /** The tokenizer of the model. */
  readonly tokenizer: Tokenizer;
  /** What it labels. */
  readonly task: HeadTask;
  /** Names of its labels, in the order of its outputs. */
  readonly labels: readonly string[];
  /** Classifies texts. @throws Problem for a classifier of tokens, or a text without tokens */
  classify(texts: readonly string[], options?: ClassifyOptions): Promise<Classification[]>;
  /** Frees model and adapter. A second call does nothing. */
  dispose(): void;
}

/**
 * Loads a classifier that `saveClassifier`, transformers or PEFT wrote: a checkpoint of a class `…ForSequenceClassification` or
 * `…ForTokenClassification`, or an adapter with its head. Node only.
 *
 * @param folder - the folder of the checkpoint or of the adapter
 * @throws Problem if the folder holds no classifier, or the model or its tokenizer is not supported
 *
 * @example
 * ```ts
 * const classifier = await loadClassifier('out/spam');
 * console.log(await classifier.classify(['You have won!']));
 * ```
 */
export async function loadClassifier(folder: string, options: LoadClassifierOptions = {}): Promise<Classifier> {
  const known = ['weights', 'embeddings', 'onTensor', 'signal', 'base', 'labels'];
  checkOptions('classify', 'loadClassifier()', options, known);
  const path = nodeModule('classify', 'node:path');
  const { base, labels, ...ofModel } = options;
  const isAdapter =
    (await readTextIfThere('classify', path.join(folder, 'adapter_config.json'), 2 ** 24)) !== undefined;
  if (!isAdapter) {
    const model = await loadModel(folder, ofModel);
    return makeClassifier(model, await loadTokenizer(folder), { subject: model, folder });
  }
  const found = base === undefined ? await findBase(folder) : { source: base };
  const hub = 'revision' in found ? { revision: found.revision } : {};
  const tokenizer = await loadTokenizer(await findModelFolder(found.source, hub));
  const plain = await loadModel(found.source, { ...ofModel, hub });
  try {
    const model = classifierHead(plain) === undefined ? withHead(plain, await headOfAdapter(folder, labels)) : plain;
    const tuned = compose(model, await loadAdapter(folder));
    const dispose = (): void => {
      tuned.dispose();
      if (model !== plain) model.dispose();
    };
    return makeClassifier(model, tokenizer, { subject: tuned, folder, dispose });
  } finally {
    // The model with another head shares its weights.
    if (classifierHead(plain) === undefined) plain.dispose();
  }
}

interface Parts {
  readonly subject: Subject;
  readonly folder: string;
  /** Frees the adapter. @defaultValue there is none */
  readonly dispose?: () => void;
}

function makeClassifier(model: Model, tokenizer: Tokenizer, { subject, folder, dispose }: Parts): Classifier {
  const head = classifierHead(model);
  if (head === undefined) {
    model.dispose();
    throw problem('classify', {
      what: `${folder} holds a model that writes text`,
      expected: 'a classifier, as saveClassifier() writes it',
      fix: 'train one: see the README of @dropbp/classify',
    });
  }
  return {
    subject,
    tokenizer,
    ...head,
    classify: (texts, options) => classify(subject, tokenizer, texts, options),
    dispose() {
      dispose?.();
      model.dispose();
    },
  };
}

/** What the files of an adapter say of the head that it comes with. */
async function headOfAdapter(
  folder: string,
  given: readonly string[] | undefined,
): Promise<{ task: HeadTask; labels: readonly string[]; config: Record<string, unknown> }> {
  const { config, tensors } = await readAdapter(folder);
  const task = tasks[String(config.task_type)];
  const weight = [...tensors].find(([name]) => /(^|\.)(score|classifier)\.weight$/.test(name))?.[1];
  if (task === undefined || weight === undefined) {
    throw problem('classify', {
      what: `${folder} holds an adapter without a classifier`,
      got: { task_type: config.task_type, head: weight === undefined ? 'missing' : 'there' },
      expected: `task_type ${Object.keys(tasks).join(' or ')}, and the weight of 'score' or 'classifier'`,
      fix: "train it with modulesToSave: ['score'] and an objective of this package",
    });
  }
  const [count] = weight.shape as [number];
  const beside = await configBeside(folder);
  const named = beside === undefined ? undefined : classifierHead({ config: beside })?.labels;
  const labels = given ?? (named?.length === count ? named : undefined) ?? numbered(count);
  if (labels.length !== count) {
    throw problem('classify', {
      what: 'the names of the labels do not fit the classifier',
      got: `${labels.length} names`,
      expected: `${count}`,
    });
  }
  return {
    task,
    labels,
    config: typeof beside?.problem_type === 'string' ? { problem_type: beside.problem_type } : {},
  };
}

const tasks: Readonly<Partial<Record<string, HeadTask>>> = {
  SEQ_CLS: 'sequence-classification',
  TOKEN_CLS: 'token-classification',
};

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `LABEL_${i}`);
}

async function configBeside(folder: string): Promise<Record<string, unknown> | undefined> {
  const file = nodeModule('classify', 'node:path').join(folder, 'config.json');
  const text = await readTextIfThere('classify', file, 2 ** 24);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (cause) {
    throw problem('classify', { what: `${file} is not JSON`, fix: 'write the classifier again', cause });
  }
  throw problem('classify', { what: `${file} is not usable`, expected: 'a JSON object' });
}
