import { problem } from '@dropbp/basics';
import type { Head, Model } from '../../contract/model.ts';

/** The head that gives logits; undefined for a model that writes no text. */
export function findTokenHead({ head }: Pick<Model, 'head'>): Head | undefined {
  return 'project' in head ? head : undefined;
}

/**
 * The head that gives logits.
 *
 * @throws Problem for a model that writes no text, such as an encoder
 */
export function tokenHead(model: Pick<Model, 'head' | 'architecture'>): Head {
  const head = findTokenHead(model);
  if (head !== undefined) return head;
  throw problem('core', {
    what: `'${model.architecture}' writes no text: the model gives a state for each token, and no logits`,
    expected: 'a model with an output layer over its vocabulary, such as Llama',
    fix: 'load such a model, or use this one for what reads states: embeddings and classification',
  });
}
