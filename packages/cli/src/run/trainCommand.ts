import { join } from 'node:path';
import { command } from '../flags/command.ts';
import { noteData } from '../data/noteData.ts';
import { readConfigFile, takeValues } from '../flags/configFile.ts';
import { listenForInterruption } from '../terminal/interruption.ts';
import { statusLine } from '../terminal/statusLine.ts';
import { dryRun, showDryRun } from './dryRun.ts';
import { prepareRun } from './preparedRun.ts';
import { openRunFolder, readRunOptions } from './runFolder.ts';
import { showResult } from './showResult.ts';
import { startBackend } from './startBackend.ts';
import { notOfTheRun, trainFlags, trainSections, type TrainFlagValues } from './trainFlags.ts';
import { trainRun } from './trainRun.ts';

/** `dropbp train`. */
export const trainCommand = command({
  name: 'train',
  summary: 'Fine-tunes a model on texts, questions with answers, or chats; with LoRA or all weights, and with DropBP.',
  flags: trainFlags,
  sections: trainSections,
  examples: [
    'dropbp train --model models/austen-base --data examples/data/kjv.txt.gz --out out/kjv --dry-run',
    'dropbp train --model HuggingFaceTB/SmolLM2-135M-Instruct --data chats.jsonl --epochs 2 --out out/chats',
    'dropbp train --config run.yaml --steps 100 --out out/notes',
    'dropbp train --resume --out out/notes',
  ],
  async layers(given) {
    const fromFile =
      typeof given.get('config') === 'string'
        ? await readConfigFile(given.get('config') as string, trainFlags)
        : undefined;
    const value = (key: string): unknown => given.get(key) ?? fromFile?.get(key);
    const out = value('out');
    const stored = value('resume') === true && typeof out === 'string' ? await storedFlags(out) : undefined;
    return [fromFile, stored].filter(layer => layer !== undefined);
  },
  async run(flags, _positionals, terminal) {
    const folder = await openRunFolder(flags.out, flags);
    const stored = flags.resume ? await readRunOptions(flags.out) : undefined;
    const startedAt = typeof stored?.startedAt === 'string' ? stored.startedAt : new Date().toISOString();
    const backend = await startBackend(flags.backend, terminal);
    const run = await prepareRun(flags, startedAt, statusLine(terminal));
    if (flags.dryRun) {
      const plan = await dryRun(run);
      terminal.out(flags.json ? `${JSON.stringify(plan, undefined, 2)}\n` : showDryRun(plan, terminal.outHasColor));
      return undefined;
    }
    noteData(run.dataset, run.data, terminal);
    const options = { startedAt, flags: flagsOfRun(flags) };
    await folder.begin(options);
    if (folder.stepsDone > 0) terminal.notes(`Going on after step ${folder.stepsDone}\n`);
    const interruption = listenForInterruption(terminal, 'Finishing this step; Ctrl-C again ends at once');
    try {
      const record = await trainRun(run, {
        ...{ folder, terminal, interruption, backend, startedAt },
        onUnderWay: () => (folder.stepsDone > 0 ? folder.goOn(options) : Promise.resolve()),
      });
      if (record.ended?.why === 'stop') {
        terminal.notes(`Stopped after step ${record.ended.keptStep}, with all that is needed to go on:\n`);
        terminal.notes(`  dropbp train --resume --out ${shellWord(flags.out)}\n`);
        return interruption.exitCode();
      }
      showResult(record, flags, terminal);
      return undefined;
    } finally {
      interruption.release();
      run.tuned.dispose();
      run.tuned.model.dispose();
    }
  },
});

/** The flags that a run in this folder began with. */
async function storedFlags(out: string): Promise<ReadonlyMap<string, unknown> | undefined> {
  const options = await readRunOptions(out);
  const flags = options?.flags;
  return typeof flags === 'object' && flags !== null
    ? takeValues(flags, trainFlags, join(out, 'options.json'))
    : undefined;
}

/** What a run goes on with: not how this command was asked for it. */
function flagsOfRun(flags: TrainFlagValues): object {
  return Object.fromEntries(Object.entries(flags).filter(([key]) => !notOfTheRun.includes(key)));
}

/** A path as a shell takes it. */
function shellWord(path: string): string {
  return /^[\w./:@%+=,-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
