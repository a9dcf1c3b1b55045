import { problem } from '@dropbp/basics';
import type { Model } from '../../contract/model.ts';

/** @throws Problem for a model whose head gives labels, not tokens */
export function checkWritesText({ head, modules, vocabSize }: Model): void {
  const outputs = modules.get(head.path)?.outFeatures ?? vocabSize;
  if (outputs === vocabSize) return;
  throw problem('core', {
    what: `the head '${head.path}' of this model does not give tokens`,
    got: `${outputs} outputs`,
    expected: `${vocabSize}, one for each token`,
    fix: 'take a model that writes text, or give compose() an objective for this head, such as sequenceClassification()',
  });
}
