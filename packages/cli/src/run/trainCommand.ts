import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openOutFolder } from '../files/outFolder.ts';
import { command } from '../flags/command.ts';
import { comparisonTable } from '../report/comparisonTable.ts';
import { renderReport } from '../report/renderReport.ts';
import { paint } from '../terminal/paint.ts';
import type { RunRecord } from './runRecord.ts';
import { startBackend } from './startBackend.ts';
import { trainFlags, trainSections } from './trainFlags.ts';
import { trainRun } from './trainRun.ts';

/** `dropbp train`. */
export const trainCommand = command({
  name: 'train',
  summary: 'Fine-tunes a model on a text, with LoRA or all weights, and with DropBP.',
  flags: trainFlags,
  sections: trainSections,
  examples: [
    'dropbp train --model models/austen-base --data examples/data/kjv.txt.gz --out out/kjv',
    'dropbp train --model HuggingFaceTB/SmolLM2-135M --data notes.txt --out out/notes --targets q_proj,v_proj --steps 100',
  ],
  async run(flags, _positionals, terminal) {
    const folder = await openOutFolder(flags.out, flags.overwrite);
    const backend = await startBackend(flags.backend, terminal);
    const { record, tuned } = await trainRun(flags, backend, terminal);
    const part = flags.adapter === 'full' ? 'model' : 'adapter';
    await folder.write(async temporary => {
      await tuned.save(join(temporary, part));
      await writeFile(join(temporary, 'run.json'), `${JSON.stringify(record, undefined, 1)}\n`);
      await writeFile(join(temporary, 'report.html'), renderReport([record]));
    });
    const written = {
      [part]: join(flags.out, part),
      report: join(flags.out, 'report.html'),
      run: join(flags.out, 'run.json'),
    };
    if (flags.json) {
      terminal.out(`${JSON.stringify({ written, ...summaryOf(record) }, undefined, 2)}\n`);
      return;
    }
    terminal.out(comparisonTable([record], terminal.outHasColor));
    for (const [what, path] of Object.entries(written)) {
      terminal.out(`${paint('dim', what.padEnd(7), terminal.outHasColor)}  ${path}\n`);
    }
  },
});

/** All of a record but what is long. */
function summaryOf({
  name,
  model,
  data,
  steps,
  heldOut,
  trainSeconds,
  peakMemoryBytes,
  sample,
  backend,
}: RunRecord): object {
  return { name, model, data, steps: steps.length, heldOut, trainSeconds, peakMemoryBytes, sample, backend };
}
