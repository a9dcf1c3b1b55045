import { compose, type Tuned } from '@dropbp/compose';
import type { Tokenizer } from '@dropbp/data';
import type { StatusLine } from '../terminal/statusLine.ts';
import { chooseDropBP } from './chooseDropBP.ts';
import { chooseAdapter } from './chooseMethod.ts';
import { openModel } from './openModel.ts';
import { prepareText, type PreparedText } from './prepareText.ts';
import { settleRun, type RunSettings } from './runSettings.ts';
import type { TrainFlagValues } from './trainFlags.ts';

/** All that a run needs, in memory. */
export interface PreparedRun {
  readonly settings: RunSettings;
  readonly tuned: Tuned;
  readonly tokenizer: Tokenizer;
  readonly text: PreparedText;
  /** What the text samples begin with, and how long they are: 0 where there are none. */
  readonly prompt: string;
  readonly sampleTokens: number;
}

/** Loads model and data, and puts together what is trained. Writes nothing. */
export async function prepareRun(flags: TrainFlagValues, status: StatusLine): Promise<PreparedRun> {
  const { model, tokenizer } = await openModel(flags.model, status);
  const settings = settleRun(flags, model);
  // Before the text is read: a wrong target shows at once.
  const tuned = compose(model, chooseAdapter(flags), await chooseDropBP(flags, model));
  status.show(`Reading ${flags.data}`);
  const { batch, time, seed, heldOut, steps, accumulation } = settings;
  const text = await prepareText(flags.data, tokenizer, { batch, time, seed, heldOut, batches: steps * accumulation });
  const prompt = flags.prompt ?? text.beginning;
  const room = model.maxPositions - tokenizer.encode(prompt).length;
  status.clear();
  return { settings, tuned, tokenizer, text, prompt, sampleTokens: Math.max(0, Math.min(flags.sampleTokens, room)) };
}
