import { problem } from '@dropbp/basics';
import { loadAdapter, type Tuned } from '@dropbp/compose';
import { prepareAdapter, textPositions } from '@dropbp/core';
import { encodePrompt, type ChatTemplate, type Dataset, type Tokenizer, type TokenizerFiles } from '@dropbp/data';
import { asChat, defaultPrompt } from '../../data/defaultPrompt.ts';
import { openData } from '../../data/openData.ts';
import { prepareData, type PreparedData } from '../../data/prepareData.ts';
import { checkLength } from '../../data/runLength.ts';
import { checkFolder } from '../../files/kindOfPath.ts';
import { templateFor } from '../../data/templateFor.ts';
import type { StatusLine } from '../../terminal/statusLine.ts';
import { batchTimes, checkBudget, ownRows, shapeWithPrompt } from '../../drops/checkBudget.ts';
import { checkBatchSize, checkMethodSize } from '../../model/checkSizes.ts';
import { checkMethodFlags, chooseAdapter } from '../../method/chooseMethod.ts';
import { dropCosts } from '../../drops/dropCosts.ts';
import { growForAdapter, growVocabulary } from '../../model/growVocabulary.ts';
import { openModel } from '../../model/openModel.ts';
import { findAdapter } from '../../model/openSubject.ts';
import type { DropCosts } from '../../record/runRecord.ts';
import { checkMeasuring, sequenceTime, fillInRun, type RunSettings } from '../../runFolder/runSettings.ts';
import { composeRun } from '../../drops/chooseRate.ts';
import type { TrainFlagValues } from '../../flags/tables/trainFlags.ts';

/** All that a run needs, in memory. */
export interface PreparedRun {
  readonly settings: RunSettings;
  readonly tuned: Tuned;
  /** What its drops cost and save. */
  readonly costs: DropCosts;
  readonly tokenizer: Tokenizer;
  /** The tokenizer's files, where tokens were added. */
  readonly tokenizerFiles?: TokenizerFiles;
  readonly dataset: Dataset;
  readonly data: PreparedData;
  /** What the text samples begin with, and how long they are: 0 where there are none. */
  readonly prompt: string;
  readonly sampleTokens: number;
}

/**
 * Loads model and data, and puts together what is trained. Writes nothing.
 *
 * @param startedAt - when the run began: chat templates may write the date
 */
export async function prepareRun(flags: TrainFlagValues, startedAt: string, status: StatusLine): Promise<PreparedRun> {
  checkLength(flags);
  checkMeasuring(flags);
  checkMethodFlags(flags);
  checkAddedTokens(flags);
  await checkFolder(flags.model, 'base');
  // Before the model is fetched and loaded: a bad row shows at once.
  status.show(`Reading ${flags.data.join(', ')}`);
  const dataset = await openData(flags);
  const place = { source: flags.model, revision: flags.revision };
  const found = await openModel(place, status, { weights: flags.weights, date: new Date(startedAt) });
  const grown = flags.addTokens === undefined ? undefined : await growVocabulary(found, place, flags.addTokens);
  const from = flags.from === undefined ? undefined : await findAdapter(flags.from, status, 'from');
  const { opened, files } =
    grown ?? (from === undefined ? { opened: found } : await growForAdapter(found, from.folder));
  const { model, tokenizer } = opened;
  checkMethodSize(flags, model);
  const adapter = await prepareAdapter(
    from === undefined
      ? chooseAdapter(flags, { model, tokenizer, ...(grown && { newTokens: grown.ids }) })
      : await loadAdapter(from.folder),
    model,
  );
  const { tuned, choice } = await composeRun(flags, model, adapter);
  const room = textPositions(tuned.internal);
  const time = sequenceTime(flags, room, dataset.format.name);
  checkBatchSize({ batch: flags.batch, time }, model);
  const chatTemplate = templateFor(dataset, opened);
  const isChat = chatTemplate !== undefined;
  const { batch, seed } = flags;
  status.show(`Counting the tokens of ${dataset.name}`);
  const data = await prepareData(dataset, { flags, tokenizer, chatTemplate, time, batch, seed, length: flags });
  const times = batchTimes(data.counts.counted, flags);
  checkBudget(tuned, times, ownRows(flags));
  const settings = fillInRun({ ...flags, rate: choice.rate }, { time, batches: data.counts.batches });
  const costs = dropCosts(tuned, choice, shapeWithPrompt(ownRows(flags), times.meanTime, times.promptShare));
  const prompt = await promptOf(flags.prompt, dataset, chatTemplate);
  const roomToWrite =
    room - (isChat ? tokenizer.encode(prompt, { addSpecialTokens: false }) : encodePrompt(tokenizer, prompt)).length;
  const sampleTokens = prompt === '' ? 0 : Math.max(0, Math.min(flags.sampleTokens, roomToWrite));
  status.clear();
  const tokenizerFiles = files && { tokenizerFiles: files };
  return { settings, tuned, costs, tokenizer, dataset, data, prompt, sampleTokens, ...tokenizerFiles };
}

function checkAddedTokens({ addTokens, from, adapter }: TrainFlagValues): void {
  if (addTokens === undefined) return;
  if (from !== undefined) {
    throw problem('cli', { what: '--add-tokens has no effect with --from: the adapter has its tokens', fix: 'leave it out' });
  }
  if (adapter === 'lora') return;
  throw problem('cli', { what: `--add-tokens does not belong to --adapter ${adapter}`, expected: '--adapter lora' });
} // prettier-ignore

function promptOf(
  given: string | undefined,
  dataset: Dataset,
  chatTemplate: ChatTemplate | undefined,
): Promise<string> {
  if (given === undefined) return defaultPrompt(dataset, chatTemplate);
  const isQuestion = chatTemplate !== undefined;
  return Promise.resolve(isQuestion ? asChat([{ role: 'user', content: given }], chatTemplate) : given);
}
