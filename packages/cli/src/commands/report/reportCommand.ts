import { writeAtomically } from '@dropbp/basics';
import { command } from '../../flags/command.ts';
import { requiredText } from '../../flags/flag.ts';
import { styled } from '../../terminal/paint.ts';
import { comparisonTable } from '../../report/comparisonTable.ts';
import { readRun } from '../../record/readRun.ts';
import { renderReport } from '../../report/renderReport.ts';

/** `dropbp report`. */
export const reportCommand = command({
  name: 'report',
  summary: 'Lays the curves of several runs over each other in one HTML page.',
  positional: {
    placeholder: '<run folder>',
    help: 'what dropbp train wrote; the first is what the others are compared with',
    isRepeatable: true,
  },
  flags: { out: requiredText('<file>', 'the page to write') },
  examples: ['dropbp report out/plain out/dropbp --out out/comparison.html'],
  async run({ out }, paths, terminal) {
    const runs = await Promise.all(paths.map(readRun));
    await writeAtomically('cli', out, renderReport(runs));
    terminal.out(styled`${comparisonTable(runs)}${out}\n`);
  },
});
