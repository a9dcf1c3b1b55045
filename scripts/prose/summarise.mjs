import { sentencesOf, wordsOf } from './findings.mjs';

const kinds = ['README', 'docs', 'help', 'errors', 'docstrings'];

/** Words a sentence by kind: how many sentences, the median, and what nine in ten do not exceed. */
export function summarise(texts) {
  return kinds.map(kind => {
    const own = texts.filter(text => text.kind === kind && text.isCounted);
    const lengths = own.flatMap(({ text }) => sentencesOf(text).map(wordsOf)).filter(count => count > 0);
    lengths.sort((a, b) => a - b);
    const at = share => lengths[Math.max(0, Math.ceil(share * lengths.length) - 1)] ?? 0;
    return { kind, sentences: lengths.length, median: at(0.5), ninetieth: at(0.9) };
  });
}
