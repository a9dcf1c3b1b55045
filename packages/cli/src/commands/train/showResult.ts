import { join } from 'node:path';
import { flagName } from '../../flags/flagName.ts';
import { branchTable, rateLine } from '../../report/branchTable.ts';
import { comparisonTable } from '../../report/comparisonTable.ts';
import { formatBytes } from '../../terminal/formatNumber.ts';
import { ownCommand } from '../../terminal/ownCommand.ts';
import { paint, styled, wrapped } from '../../terminal/paint.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { costLine } from '../../drops/dropCosts.ts';
import { heldOutFault } from '../../record/heldOutCourse.ts';
import type { RunRecord } from '../../record/runRecord.ts';
import type { TrainFlagValues } from '../../flags/tables/trainFlags.ts';
import { shellWord } from '../../terminal/shellWord.ts';
import { partOf } from './trainRun.ts';

/**
 * Prints what a run that is over came to, and the command that writes with it.
 *
 * @param isChat - whether it learned from conversations
 */
export function showResult(record: RunRecord, flags: TrainFlagValues, terminal: Terminal, isChat = false): void {
  const part = partOf(flags.adapter);
  const written = {
    [part]: join(flags.out, part),
    report: join(flags.out, 'report.html'),
    run: join(flags.out, 'run.json'),
  };
  if (flags.json) {
    terminal.out(`${JSON.stringify({ written, ...summaryOf(record) }, undefined, 2)}\n`);
    return;
  }
  const { why } = record.ended!;
  if (why === 'patience') {
    const { length } = record.steps;
    terminal.notes(`Ended after step ${length}: the held-out loss has not fallen for ${flags.patience!} evaluations\n`);
  }
  for (const line of heldOutLines(record, part)) terminal.notes(styled`${paint('yellow', line)}\n`);
  noteIdle(record, terminal);
  noteMemory(record, terminal);
  terminal.out(comparisonTable([record]));
  if (record.costs !== undefined) terminal.out(styled`\n${wrapped(costLine(record.costs, 'FLOPs'))}\n`);
  const rates = flags.verbose ? branchTable(record.branches) : rateLine(record.branches);
  terminal.out(rates === undefined ? '\n' : styled`\n${rates}\n`);
  for (const [what, path] of Object.entries(written)) {
    terminal.out(styled`${paint('dim', what.padEnd(7))}  ${path}\n`);
  }
  const subject =
    part === 'adapter' ? `--adapter ${shellWord(written[part]!)}` : `--model ${shellWord(written[part]!)}`;
  const way = isChat ? '--chat' : `--prompt ${shellWord(record.samples?.prompt ?? 'Once upon a time')}`;
  terminal.out(styled`${paint('dim', 'try it ')}  ${ownCommand(`generate ${subject} ${way}`)}\n`);
}

/** Share of steps without a gradient of which a run is told. */
const MANY = 0.1;

function noteIdle({ steps }: RunRecord, terminal: Terminal): void {
  const idle = steps.filter(({ gradientNorm }) => gradientNorm === null).length;
  if (idle === 0 || idle < MANY * steps.length) return;
  const which =
    idle === steps.length
      ? 'In no step was anything trained'
      : `In ${idle} of ${steps.length} steps nothing was trained`;
  terminal.notes(`${which}, as all of it was dropped: try a lower ${flagName('rate')}, or train more layers\n`);
}

/** A step is planned; data, evaluation and samples come on top. */
function noteMemory({ drops, peakMemoryBytes }: RunRecord, terminal: Terminal): void {
  const budget = drops?.memory;
  if (budget === undefined || peakMemoryBytes <= budget) return;
  const figures = `${formatBytes(peakMemoryBytes)}, more than ${flagName('memory')} ${formatBytes(budget)}`;
  terminal.notes(`The process held up to ${figures}: steps are planned by an estimate, beside the data and the rest\n`);
}

/** Which step was kept, and whether training made the model worse on what it did not see. */
function heldOutLines(record: RunRecord, part: string): string[] {
  const { keptStep } = record.ended!;
  const fault = heldOutFault(record);
  const isLast = keptStep === record.steps.at(-1)?.step;
  const kept = `The ${part} is that of ${isLast ? 'the last step' : `step ${keptStep}`}`;
  if (fault?.kind === 'worse') {
    const losses = `${fault.lowest.toFixed(3)} at best, ${fault.before.toFixed(3)} before training`;
    return [
      `Training did not lower the held-out loss: ${losses}. ${kept}, and no better than the model without it. ` +
        `Try a lower ${flagName('learningRate')}, fewer ${flagName('epochs')}, or more data.`,
    ];
  }
  if (fault?.kind === 'overfit') {
    const { best, last } = fault;
    const losses = `from ${best.loss.toFixed(3)} after step ${best.step} to ${last.loss.toFixed(3)}`;
    const other = isLast
      ? `${flagName('keep')} best takes step ${best.step}`
      : `${flagName('keep')} last takes the last`;
    return [
      `The held-out loss rose again, ${losses}: the model overfits. ${kept}; ${other}. ` +
        `Fewer ${flagName('epochs')}, a lower ${flagName('learningRate')} or more data help.`,
    ];
  }
  return isLast ? [] : [`${kept}, of the best held-out loss; ${flagName('keep')} last takes the last`];
}

/** All of a record but what is long. */
function summaryOf(record: RunRecord): object {
  const { name, model, data, steps, heldOut, trainSeconds, peakMemoryBytes, samples, ended, backend } = record;
  return { name, model, data, steps: steps.length, heldOut, trainSeconds, peakMemoryBytes, samples, ended, backend };
}
