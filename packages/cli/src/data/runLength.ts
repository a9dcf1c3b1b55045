import { problem } from '@dropbp/basics';
import { countBatches, type DataReport, type TokenizedRows, type TrainingBatchesOptions } from '@dropbp/data';
import { formatCount } from '../terminal/formatNumber.ts';

/** How long the flags want a run to be; neither is given where the data decide. */
export interface LengthFlags {
  readonly steps: number | undefined;
  readonly epochs: number | undefined;
  readonly accumulation: number;
}

/** How long a run is. */
export interface RunLength {
  /** Batches that it takes. */
  readonly batches: number;
  /** How often it goes through the data; undefined where their end was not seen. */
  readonly epochs: number | undefined;
  /** Of one time through the data, or of its first batches: at least as many as the run takes, and 256. */
  readonly counted: DataReport;
  /** Why it is that long, for people: `'3 epochs, the default for this much data'`. */
  readonly why: string;
}

/**
 * The length by default. Three epochs are what most trainers begin with. Fewer than 20 steps hardly move an adapter, and more than
 * 300 take hours on a small machine: a first run ends sooner.
 */
export const defaultLength = { epochs: 3, leastSteps: 20, mostSteps: 300 };

/** So many batches are looked at however short a run is: of small data, that is all of them. */
const LOOKED = 256;

/** @throws Problem for flags that say twice how long a run is */
export function checkLength({ steps, epochs }: Pick<LengthFlags, 'steps' | 'epochs'>): void {
  if (steps === undefined || epochs === undefined) return;
  throw problem('cli', { what: '--steps and --epochs both say how long the run is', fix: 'give one of them' });
}

/**
 * How many batches a run takes, by its flags or else by the data.
 *
 * @param batching - of the run, in one epoch
 */
export async function chooseLength(
  rows: TokenizedRows,
  batching: Pick<TrainingBatchesOptions, 'arrangement'> & { readonly batch: number },
  { steps, epochs, accumulation }: LengthFlags,
): Promise<RunLength> {
  const { epochs: usual, leastSteps, mostSteps } = defaultLength;
  const most = epochs === undefined ? (steps ?? mostSteps) * accumulation : Infinity;
  const looked = Math.max(most, LOOKED);
  const counted = await countBatches(rows, batching, looked);
  const isWhole = counted.batches < looked;
  // Batches of the run are full: the last of an epoch takes the first rows of the next.
  const perEpoch = batching.arrangement === 'packed' ? counted.batches : counted.sequences / batching.batch;
  const take = (batches: number, why: string): RunLength => {
    return { batches, epochs: isWhole ? batches / perEpoch : undefined, counted, why };
  };
  if (steps !== undefined) return take(most, 'as --steps says');
  const wanted = Math.max(1, Math.ceil(perEpoch * (epochs ?? usual)));
  if (epochs !== undefined) return take(wanted, `${plural(epochs, 'epoch')}, as --epochs says`);
  if (!isWhole || wanted > most) {
    return take(most, `the most by default: ${usual} epochs take longer; --epochs or --steps takes more`);
  }
  const least = leastSteps * accumulation;
  if (wanted >= least) return take(wanted, `${usual} epochs, the default for this much data`);
  const few = plural(Math.max(1, Math.floor(wanted / accumulation)), 'step');
  return take(least, `the least by default: ${usual} epochs are only ${few}`);
}

function plural(count: number, noun: string): string {
  const number = Number.isInteger(count) ? formatCount(count) : String(count);
  return `${number} ${noun}${count === 1 ? '' : 's'}`;
}
