/**
 * Writes the tables of docs/results.md anew from bench/results.
 *
 *     npx tsx bench/fillTables.ts [--check]
 *
 * `--check` writes nothing, and fails where a table does not say what the results say.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fillMarks } from './report/markdown.ts';
import { tables } from './report/tables.ts';

const file = new URL('../docs/results.md', import.meta.url);
const old = readFileSync(file, 'utf8');
const filled = fillMarks(old, tables);
if (!process.argv.includes('--check')) writeFileSync(file, filled);
else if (filled !== old) {
  console.error('docs/results.md does not say what bench/results says: run npx tsx bench/fillTables.ts');
  process.exitCode = 1;
}
