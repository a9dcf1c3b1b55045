import { markdownTable } from './markdown.ts';
import { readResults, writtenBy, type Written } from './readResults.ts';

type Row = Readonly<Record<string, string | number>>;

/** What came of mutated files, for each target. */
export function fuzz(): string {
  const results = readResults('fuzz') as Written & { rows: Row[] };
  const total = results.rows.reduce((sum, { inputs }) => sum + Number(inputs), 0);
  const table = markdownTable(results.rows, {
    target: row => row.target,
    inputs: row => counted(row.inputs),
    accepted: row => counted(row.accepted),
    refused: row => counted(row.refused),
    findings: row => counted(row.fault),
    'slowest, CPU': row => `${counted(row.slowestMs)} ms`,
    'memory of the process': row => `${counted(row.memoryMiB)} MiB`,
  });
  return `${counted(total)} inputs:\n\n${table}\n\n${writtenBy(results)}`;
}

/** What we and Python made of the same mutated files. */
export function differential(): string {
  const results = readResults('differential') as Written & { rows: Row[] };
  const table = markdownTable(results.rows, {
    subject: row => row.subject,
    inputs: row => counted(row.inputs),
    equal: row => counted(row.equal),
    'refused by both': row => counted(row.refused),
    'refused by us alone': row => counted(row.stricter),
    'without one answer': row => counted(row.undecided),
    findings: row => counted(row.finding),
  });
  return `${table}\n\n${writtenBy(results)}`;
}

function counted(value: string | number | undefined): string {
  return Number(value).toLocaleString('en');
}
