import { problem } from '@dropbp/basics';
import type { Model } from '../../contract/model.ts';
import { tokenHead } from './tokenHead.ts';

/** @throws Problem for a model without a head, or whose head gives labels, not tokens */
export function checkWritesText(model: Model): void {
  const { modules, vocabSize } = model;
  const head = tokenHead(model);
  const outputs = modules.get(head.path)?.outFeatures ?? vocabSize;
  if (outputs === vocabSize) return;
  throw problem('core', {
    what: `the head '${head.path}' of this model does not give tokens`,
    got: `${outputs} outputs`,
    expected: `${vocabSize}, one for each token`,
    fix: 'take a model that writes text, or give compose() an objective for this head, such as sequenceClassification()',
  });
}
