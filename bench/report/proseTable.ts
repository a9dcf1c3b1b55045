import { markdownTable } from './markdown.ts';
import { readResults } from './readResults.ts';

interface Measured {
  readonly commit: string;
  readonly findings: number;
  readonly kinds: readonly { kind: string; sentences: number; median: number; ninetieth: number }[];
}

/** Words a sentence of each kind of text, when they were first counted and when last. */
export function proseTable(): string {
  const { command, before, after } = readResults('prose') as { command: string; before: Measured; after: Measured };
  const table = markdownTable(after.kinds, {
    text: row => row.kind,
    sentences: row => row.sentences,
    'median before': row => before.kinds.find(({ kind }) => kind === row.kind)?.median,
    median: row => row.median,
    '90th percentile before': row => before.kinds.find(({ kind }) => kind === row.kind)?.ninetieth,
    '90th percentile': row => row.ninetieth,
  });
  return `${table}\n\n\`${command}\`: ${before.findings} findings before (commit ${before.commit}), ${after.findings} now (on top of commit ${after.commit}).`;
}
