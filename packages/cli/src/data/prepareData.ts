import { problem } from '@dropbp/basics';
import type { Batch, ResumableBatches } from '@dropbp/core';
import {
  countBatches,
  exampleText,
  splitDataset,
  tokenizeRows,
  trainingBatches,
  type ChatTemplate,
  type DataReport,
  type Dataset,
  type ExamplePart,
  type TokenizedRows,
  type Tokenizer,
} from '@dropbp/data';
import type { DataFlagValues } from '../flags/tables/dataFlags.ts';
import { findGlued, type GluedRows } from './findGlued.ts';
import { chooseLength, type LengthFlags } from './runLength.ts';

/** What {@link prepareData} takes beside the data. */
export interface PrepareDataOptions {
  readonly flags: DataFlagValues;
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | undefined;
  /** Tokens in a sequence at most. */
  readonly time: number;
  /** Sequences in a batch. */
  readonly batch: number;
  readonly seed: number;
  readonly length: LengthFlags;
}

/** Data as a run needs them. */
export interface PreparedData {
  readonly train: ResumableBatches;
  /** Makes the batches to measure on, always the same; undefined where nothing is held out. */
  readonly heldOut: (() => AsyncIterable<Batch>) | undefined;
  readonly counts: DataCounts;
  /** Rows whose prompt and completion touch; undefined where there are none. */
  readonly glued: GluedRows | undefined;
  /** Whether a token that ends a text follows what is learned. */
  readonly isEnded: boolean;
  /** The first rows that are learned from, as the model sees them. */
  examples(count: number): Promise<ExamplePart[][]>;
}

/** What a run has to do with its data. */
export interface DataCounts {
  /** Rows to learn from and to measure on; undefined for a stream. */
  readonly trainRows: number | undefined;
  readonly heldOutRows: number | undefined;
  /** Of one time through the data, or of its first batches: see {@link chooseLength}. */
  readonly counted: DataReport;
  /** Batches in all. */
  readonly batches: number;
  /** How often they go through the data. */
  readonly epochs: number;
  /** Why there are so many batches, for people. */
  readonly why: string;
  /** Tokens to learn from: all of them, estimated where the run does not see them all. */
  readonly trainTokens: number;
  /** Tokens that count in a measurement. */
  readonly heldOutTokens: number;
}

/** Enough for a loss that is stable in its third digit. */
const measuredTokens = 16_384;
/** Batches that tell how many tokens one has. */
const sampledBatches = 64;
/** Always the same rows are held out, so that runs of other seeds are measured alike. */
const splitSeed = 0;

/** Holds rows out, and makes batches of both parts. @throws Problem where there is too little of either */
export async function prepareData(dataset: Dataset, options: PrepareDataOptions): Promise<PreparedData> {
  const { flags, time, batch, seed, length } = options;
  const split = flags.heldOut === 0 ? { train: dataset, heldOut: undefined } : splitData(dataset, flags.heldOut);
  const rowsOf = (part: Dataset): TokenizedRows =>
    tokenizeRows(part, {
      ...{ tokenizer: options.tokenizer, chatTemplate: options.chatTemplate, time, loss: flags.loss },
      ...(flags.tooLong !== 'auto' && { tooLong: flags.tooLong }),
    });
  const rows = rowsOf(split.train);
  const batching = { batch, seed, arrangement: flags.arrangement };
  const ofRun = await chooseLength(rows, batching, length);
  const { counted, batches } = ofRun;
  const trainTokens = ofRun.epochs === undefined ? allTokens(counted, split.train.length) : counted.tokens;
  const heldOut =
    split.heldOut && (await prepareHeldOut(rowsOf(split.heldOut), { batch, arrangement: flags.arrangement }));
  return {
    train: trainingBatches(rows, batching),
    heldOut: heldOut?.batches,
    glued: await findGlued(dataset),
    isEnded: options.tokenizer.eosToken !== undefined,
    counts: {
      trainRows: split.train.length,
      heldOutRows: split.heldOut?.length,
      counted,
      batches,
      epochs: ofRun.epochs ?? (counted.tokens / counted.batches) * (batches / trainTokens),
      why: ofRun.why,
      trainTokens,
      heldOutTokens: heldOut?.tokens ?? 0,
    },
    async examples(count) {
      const examples: ExamplePart[][] = [];
      for await (const row of split.train.rows()) {
        for (const sequence of rows.tokenize(row).sequences) {
          if (examples.length < count) examples.push(exampleText(options.tokenizer, sequence));
        }
        if (examples.length === count) break;
      }
      return examples;
    },
  };
}

function splitData(dataset: Dataset, share: number): { readonly train: Dataset; readonly heldOut: Dataset } {
  if (dataset.length !== undefined && dataset.length < 2) {
    throw problem('cli', {
      what: `${dataset.name} is too short to hold a part of it out`,
      got: dataset.length === 1 ? 'one row' : 'no row',
      fix: 'give more, or --held-out 0 to measure nothing',
    });
  }
  return splitDataset(dataset, { share, seed: splitSeed });
}

async function prepareHeldOut(
  rows: TokenizedRows,
  batching: { readonly batch: number; readonly arrangement: DataFlagValues['arrangement'] },
): Promise<{ batches: () => AsyncIterable<Batch>; tokens: number }> {
  const options = { ...batching, shuffle: false, epochs: 1 };
  const { batches, labels } = await countBatches(rows, options, sampledBatches);
  const wanted = Math.max(1, Math.round(measuredTokens / (labels / batches)));
  const count = batches < sampledBatches ? Math.min(batches, wanted) : wanted;
  return {
    batches: () => firstOf(trainingBatches(rows, options), count),
    tokens: Math.round((labels / batches) * count),
  };
}

async function* firstOf(batches: AsyncIterable<Batch>, count: number): AsyncGenerator<Batch, void, undefined> {
  let given = 0;
  for await (const batch of batches) {
    yield batch;
    if (++given === count) return;
  }
}

function allTokens({ tokens, rows }: DataReport, all: number | undefined): number {
  const isWhole = all === undefined || rows >= all;
  return Math.round(isWhole ? tokens : (tokens / Math.max(1, rows)) * all);
}
