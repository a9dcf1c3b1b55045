import { join } from 'node:path';
import { problem } from '@dropbp/basics';
import { command } from '../../flags/command.ts';
import { readConfigFile, takeValues } from '../../flags/configFile.ts';
import { runOnRanks } from '../../ranks/runOnRanks.ts';
import { readRunOptions } from '../../runFolder/runOptions.ts';
import { layerFromAdapter } from './layerFromAdapter.ts';
import { trainFlags, trainSections } from '../../flags/tables/trainFlags.ts';
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
    'dropbp train --from someone/adapter --data chats.jsonl --out out/further',
    'dropbp train --resume --out out/notes',
  ],
  async layers(given, terminal) {
    const config = given.get('config');
    const fromFile = typeof config === 'string' ? await readConfigFile(config, trainFlags) : undefined;
    if (fromFile?.has('config') === true) {
      throw problem('cli', {
        what: `${String(config)} names another configuration file`,
        got: fromFile.get('config'),
        fix: 'put the flags of both into one',
      });
    }
    const value = (key: string): unknown => given.get(key) ?? fromFile?.get(key);
    const out = value('out');
    const isResumed = value('resume') === true && typeof out === 'string';
    const stored = isResumed ? await storedFlags(out) : undefined;
    if (isResumed && stored === undefined && [value('model'), value('from')].every(found => found === undefined)) {
      throw problem('cli', {
        what: `there is no run in ${out} to go on with`,
        fix: 'look at --out, or give --model and --data to begin one there',
      });
    }
    const above: ReadonlyMap<string, unknown>[] = [given];
    for (const layer of [fromFile, stored]) if (layer !== undefined) above.push(withoutReplaced(layer, above));
    const from = value('from') ?? stored?.get('from');
    if (typeof from === 'string') above.push(await layerFromAdapter(from, above, terminal));
    return above.slice(1);
  },
  run: (flags, _positionals, terminal) =>
    runOnRanks(flags.workers, terminal, (comm, own) => trainOnRank({ ...flags, workers: comm.size }, comm, own)),
});

/** Flags of which one is given: it stands in place of those in a configuration file, or those that the run began with. */
const alternatives: readonly (readonly string[])[] = [
  ['steps', 'epochs'],
  ['rate', 'timeSaved', 'memory'],
];

/** A layer of values without those in whose place a layer above gives another flag. */
function withoutReplaced(
  layer: ReadonlyMap<string, unknown>,
  above: readonly ReadonlyMap<string, unknown>[],
): ReadonlyMap<string, unknown> {
  const isGiven = (key: string): boolean => above.some(values => values.get(key) !== undefined);
  const isReplaced = (key: string): boolean =>
    alternatives.some(names => names.includes(key) && names.some(name => name !== key && isGiven(name)));
  return new Map([...layer].filter(([key]) => !isReplaced(key)));
}

/** The flags that a run in this folder began with. */
async function storedFlags(out: string): Promise<ReadonlyMap<string, unknown> | undefined> {
  const options = await readRunOptions(out);
  return options && takeValues(options.flags, trainFlags, join(out, 'options.json'));
}
