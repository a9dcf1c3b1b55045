import { isObject, problem } from '@dropbp/basics';
import type { BatchSettings } from './batchPlans.ts';
import { emptyReport, type DataReport } from './dataReport.ts';
import type { TokenizedRows } from '../tokenizeRows.ts';

/** A place between two batches: JSON-safe, for checkpoints. What it holds is of no meaning elsewhere. */
export interface DataPosition {
  /** Version of this form. */
  readonly version: 1;
  /** The options and the data that the place belongs to. */
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  /** How many times the rows have been gone through. */
  readonly epoch: number;
  /** The row of the epoch's order with which the window begins that the next batch is of. */
  readonly row: number;
  /** The number of the next batch in its window. */
  readonly batch: number;
  /** Sequences of earlier windows that wait for a batch: row and part of each. */
  readonly waiting: readonly (readonly [row: number, part: number])[];
  /** What was read before the window. */
  readonly read: DataReport;
  /** What was given out before the next batch. */
  readonly given: DataReport;
}

/** The place before the first batch. */
export function startPosition({ dataset, time }: TokenizedRows, settled: BatchSettings): DataPosition {
  const { batch, arrangement, shuffle, seed, shuffleBuffer } = settled;
  const { length = null, bytes = null } = dataset;
  const settings = { rows: length, bytes, time, batch, arrangement, shuffle, seed, shuffleBuffer };
  return { version: 1, settings, epoch: 0, row: 0, batch: 0, waiting: [], read: emptyReport, given: emptyReport };
}

/** A position that was stored. @throws Problem if it is none, or of other data or options than `start` */
export function checkedPosition(value: unknown, { settings }: DataPosition): DataPosition {
  if (!isPosition(value)) {
    const expected = 'the position of an iteration over these batches';
    throw problem('data', { what: 'the position in the data is not usable', got: value, expected });
  }
  for (const [name, own] of Object.entries(settings)) {
    if (value.settings[name] === own) continue;
    throw problem('data', {
      what: `the position in the data is of a run with another ${name}`,
      got: value.settings[name],
      expected: String(own),
      fix: 'go on with the data and options that the run began with, or begin anew',
    });
  }
  checkReach(value);
  const whole = (report: DataReport): DataReport => ({ ...emptyReport, ...report });
  return { ...value, read: whole(value.read), given: whole(value.given) };
}

/** A place that an iteration over these rows can come to. Which batches its window has shows when the window is read. */
function checkReach({ settings, epoch, row, waiting, given }: DataPosition): void {
  const rows = typeof settings.rows === 'number' ? settings.rows : Infinity;
  const outside = (what: string, got: number, most: number): Error =>
    problem('data', {
      what: `the position in the data is out of their range: ${what}`,
      got,
      expected: `${most} at most`,
      fix: 'it was changed after it was stored: go on from another, or begin anew',
    });
  if (row >= rows && row > 0) throw outside('its row', row, rows - 1);
  // Each time through the rows gives a sequence at least.
  const epochs = given.sequences + waiting.length;
  if (epoch > epochs) throw outside('how often the rows were gone through', epoch, epochs);
}

/** @throws Problem for a batch that its window does not have */
export function checkBatchNumber(batch: number, batches: number): void {
  if (batch === 0 || batch < batches) return;
  throw problem('data', {
    what: 'the position in the data is out of their range: the number of its batch in its window',
    got: batch,
    expected: `${Math.max(0, batches - 1)} at most`,
    fix: 'it was changed after it was stored, or the data are others: go on from another, or begin anew',
  });
}

function isPosition(value: unknown): value is DataPosition {
  if (typeof value !== 'object' || value === null) return false;
  const { version, settings, epoch, row, batch, waiting, read, given } = value as Partial<DataPosition>;
  const isCount = (number: unknown): boolean => Number.isSafeInteger(number) && (number as number) >= 0;
  const isReport = (part: unknown): boolean =>
    // Positions of before prompts were counted do not have them.
    isObject(part) && Object.keys(emptyReport).every(key => isCount(part[key] ?? (key === 'prompts' ? 0 : undefined)));
  return (
    version === 1 &&
    [epoch, row, batch].every(isCount) &&
    isObject(settings) &&
    [read, given].every(isReport) &&
    Array.isArray(waiting) &&
    waiting.every((place: unknown) => Array.isArray(place) && place.length === 2 && place.every(isCount))
  );
}
