import { join } from 'node:path';
import { command } from '../flags/command.ts';
import { readConfigFile, takeValues } from '../flags/configFile.ts';
import { runOnRanks } from '../ranks/runOnRanks.ts';
import { readRunOptions } from './runFolder.ts';
import { trainFlags, trainSections } from './trainFlags.ts';
import { trainOnRank } from './trainOnRank.ts';

/** `dropbp train`. */
export const trainCommand = command({
  name: 'train',
  summary:
    'Fine-tunes a model on texts, questions with answers, or chats, by any method of PEFT or all weights, with DropBP.',
  flags: trainFlags,
  sections: trainSections,
  examples: [
    'dropbp train --model models/austen-base --data examples/data/kjv.txt.gz --out out/kjv --dry-run',
    'dropbp train --model HuggingFaceTB/SmolLM2-135M-Instruct --data chats.jsonl --epochs 2 --out out/chats',
    'dropbp train --config run.yaml --steps 100 --out out/notes',
    'dropbp train --config run.yaml --out out/notes --workers 2',
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
  run: (flags, _positionals, terminal) =>
    runOnRanks(flags.workers, terminal, (comm, own) => trainOnRank({ ...flags, workers: comm.size }, comm, own)),
});

/** The flags that a run in this folder began with. */
async function storedFlags(out: string): Promise<ReadonlyMap<string, unknown> | undefined> {
  const options = await readRunOptions(out);
  const flags = options?.flags;
  return typeof flags === 'object' && flags !== null
    ? takeValues(flags, trainFlags, join(out, 'options.json'))
    : undefined;
}
