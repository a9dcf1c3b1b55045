import { compose, type Tuned } from '@dropbp/compose';
import type { Batch, Model } from '@dropbp/core';
import { splitHeldOut, textBatches, type Tokenizer } from '@dropbp/data';
import { dropBP } from '@dropbp/dropbp';
import { lora } from '@dropbp/peft-lora';
import { cosine, train } from '@dropbp/train';
import type { Settings, StepReport } from '../messages.ts';

/** Tokens in a sequence. */
const time = 128;
/** One window of so many is kept from training, where the text is long enough. */
const heldOutEvery = 12;
/** Windows that the loss is measured on. */
const maxHeldOut = 4;
const seed = 1;

/** LoRA and DropBP on a text. */
export interface TrainingRun {
  readonly tuned: Tuned;
  readonly trainTokens: number;
  steps(): AsyncGenerator<StepReport, void, undefined>;
}

/** @throws Error where the text is too short */
export function startRun(model: Model, tokenizer: Tokenizer, text: string, settings: Settings): TrainingRun {
  const { steps, learningRate, batch } = settings;
  const tokens = tokenizer.encode(text);
  if (tokens.length < batch * time) {
    throw new Error(
      `The text is too short: a step takes ${batch * time} tokens, and it has ${tokens.length}. About ${4 * batch * time} letters will do.`,
    );
  }
  const { training, heldOut } = partsOf(tokens, batch);
  const tuned = compose(
    model,
    lora({ rank: settings.rank, targetModules: 'all-linear', seed }),
    settings.dropRate > 0 ? dropBP({ rate: settings.dropRate, seed }) : undefined,
  );
  return {
    tuned,
    trainTokens: training.length,
    async *steps() {
      const run = train(tuned, textBatches(training, { batch, time, seed }), {
        steps,
        learningRate,
        schedule: cosine({ warmupSteps: Math.ceil(steps / 20), minimum: 0.1 }),
        ...(heldOut && {
          evaluate: { batches: () => heldOutBatches(heldOut, batch), every: Math.max(5, Math.ceil(steps / 10)) },
        }),
      });
      for await (const { step, loss, heldOutLoss, seconds, tokens, dropped } of run) {
        yield { step, loss, heldOutLoss, seconds, tokens, dropped };
      }
    },
  };
}

/** The part to train on, and one to measure the loss on; none where the text is short. */
function partsOf(
  tokens: readonly number[],
  batch: number,
): { training: ArrayLike<number>; heldOut: Int32Array | undefined } {
  const windows = Math.floor(tokens.length / time);
  if (windows < heldOutEvery + batch) return { training: tokens, heldOut: undefined };
  const { train: training, heldOut } = splitHeldOut(tokens, { time, every: heldOutEvery });
  return { training, heldOut: heldOut.slice(0, maxHeldOut * time) };
}

function heldOutBatches(tokens: Int32Array, batch: number): Iterable<Batch> {
  const rows = Math.min(batch, tokens.length / time);
  return textBatches(tokens, { batch: rows, time, seed, epochs: 1 });
}
