import { isObject, problem } from '@dropbp/basics';
import type { RawConfig } from '../architectures/configReader.ts';

/** More labels than this are a mistake in a file. */
const MOST_LABELS = 2 ** 16;

/**
 * The names of a classifier's labels in the order of its outputs, as `id2label` of a `config.json` has them. As in transformers there
 * are two labels where it says nothing.
 *
 * @throws Problem for a value other than names by number
 */
export function labelNames({ id2label, num_labels: count }: RawConfig): readonly string[] {
  if (id2label === undefined || id2label === null) {
    const labels = typeof count === 'number' && Number.isInteger(count) && count > 0 ? count : 2;
    return Array.from({ length: checkCount(labels) }, (_, i) => `LABEL_${i}`);
  }
  const names = isObject(id2label) ? Object.values(id2label) : [];
  const keys = isObject(id2label) ? Object.keys(id2label) : [];
  const ordered = keys.map((_, i) => names[keys.indexOf(String(i))]);
  if (checkCount(keys.length) > 0 && ordered.every(name => typeof name === 'string')) return ordered;
  throw problem('models', {
    what: 'config.json: id2label is not usable',
    got: id2label,
    expected: 'names of labels by number, such as {"0": "no", "1": "yes"}',
  });
}

function checkCount(count: number): number {
  if (count <= MOST_LABELS) return count;
  throw problem('models', {
    what: 'config.json: there are too many labels',
    got: count,
    expected: `at most ${MOST_LABELS}`,
  });
}

/** The same names as a `config.json` has them. */
export function labelConfig(labels: readonly string[]): RawConfig {
  return {
    id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
    label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
  };
}
