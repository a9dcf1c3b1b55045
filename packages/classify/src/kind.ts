import { problem } from '@dropbp/basics';
import { asRunnable, type Model, type Subject } from '@dropbp/core';
import { classifierHead } from '@dropbp/models';

/** What a classifier of texts predicts: one label, any number of labels, or numbers. */
export type ClassificationKind = 'single' | 'multiple' | 'regression';

/** What transformers calls them, in `problem_type` of a `config.json`. */
export const problemTypes: Readonly<Record<ClassificationKind, string>> = {
  single: 'single_label_classification',
  multiple: 'multi_label_classification',
  regression: 'regression',
};

/** The kind that a model was trained as, as transformers finds it: by `problem_type`, else by the number of its labels. */
export function kindOf({ config }: Pick<Model, 'config'>, labels: number): ClassificationKind {
  const found = Object.entries(problemTypes).find(([, type]) => type === config.problem_type);
  return (found?.[0] as ClassificationKind | undefined) ?? (labels === 1 ? 'regression' : 'single');
}

/** The classifier that a model is. @throws Problem for a model that writes text */
export function headOf(caller: string, subject: Subject): NonNullable<ReturnType<typeof classifierHead>> {
  const head = classifierHead(asRunnable(subject).model);
  if (head !== undefined) return head;
  throw problem('classify', {
    what: `${caller}: the model writes text, and a classifier is needed`,
    expected: 'what withHead() or loadClassifier() gives',
    fix: "call withHead(model, { task: 'sequence-classification', labels }) of @dropbp/models",
  });
}
