import { plannedRate, planStep, type StepPlan } from '@dropbp/compose';
import { evaluateLoss } from '@dropbp/train';
import type { ExamplePart } from '@dropbp/data';
import { flagName } from '../../flags/flagName.ts';
import { fieldLines } from '../inspect/fieldLines.ts';
import { leastShare } from '../../forecast/leastShare.ts';
import { probeSpeed } from '../../forecast/probeSpeed.ts';
import { forecastStep } from '../../forecast/stepForecast.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatLarge,
  formatSeconds,
  formatShare,
} from '../../terminal/formatNumber.ts';
import { paint, styled, type Styled } from '../../terminal/paint.ts';
import { batchTimes, ownRows, shapeWithPrompt } from '../../drops/checkBudget.ts';
import { countParameters } from '../../model/countParameters.ts';
import { costLine, dropLine, dropsPrompts, OTHER_RATE } from '../../drops/dropCosts.ts';
import { paddingHint, paddingShare } from '../../data/paddingHint.ts';
import { dropsOf } from '../../drops/dropsOf.ts';
import type { PreparedRun } from './preparedRun.ts';
import type { DropCosts, DropsRecord } from '../../record/runRecord.ts';

/** What a run would do: what `dropbp train --dry-run --json` prints. */
export interface DryRun {
  readonly model: { readonly source: string; readonly parameters: number; readonly trainable: number };
  readonly data: {
    readonly explanation: string;
    readonly trainRows: number | null;
    readonly heldOutRows: number | null;
    /** Rows that cannot be used and are left out. */
    readonly skippedRows: number;
    /** Of the rows that the run takes, or of one time through the data. */
    readonly tooLongRows: number;
    readonly cutTokens: number;
    /** Of the first thousand rows, those whose prompt and completion meet without white space. */
    readonly gluedRows: number;
    readonly trainTokens: number;
    /** Shares of the batches. */
    readonly learnedShare: number;
    readonly paddingShare: number;
    /** What to do about much padding; null where there is little. */
    readonly paddingHint: string | null;
  };
  readonly training: {
    readonly steps: number;
    /** Why there are so many. */
    readonly why: string;
    readonly batches: number;
    /** Tokens in all batches, without padding. */
    readonly tokens: number;
    /** How often the data are gone through. */
    readonly epochs: number;
    readonly batch: number;
    /** Mean length of a row of a batch, padding included. */
    readonly meanTime: number;
    /** The same of the longest batch. */
    readonly longestTime: number;
    /** What the budget comes to, on batches of mean length. */
    readonly dropRate: number;
    /** How it is met; null where nothing is dropped. */
    readonly drops: DropsRecord | null;
    /** What that costs and saves, in time as probed. */
    readonly costs: DropCosts;
  };
  /** Estimated, of one process at the longest batch. */
  readonly memoryBytes: number;
  /** Estimated, of a batch of mean length. */
  readonly secondsPerStep: number;
  readonly seconds: number;
  readonly examples: readonly (readonly ExamplePart[])[];
}

/** Finds out what a run would cost and what the model would see, without a step. */
export async function dryRun({ settings, tuned, costs, dataset, data }: PreparedRun): Promise<DryRun> {
  const { steps, batch, accumulation, evaluateEvery } = settings;
  const { counts } = data;
  const { counted } = counts;
  const { meanTime, longestTime, promptShare } = batchTimes(counted, settings);
  const shape = shapeWithPrompt(batch, meanTime, promptShare);
  const plan = planStep(tuned, shape);
  const rows = ownRows(settings);
  const dropRate = plannedRate(tuned, { ...shape, batch: rows });
  const { dropSchedule } = tuned.internal;
  const dropped = dropsPrompts(tuned);
  const bytesOf = ({ branchBytes, answerBytes }: StepPlan): readonly number[] => (dropped ? answerBytes : branchBytes);
  const least = leastShare(dropSchedule, dropRate, bytesOf(plan));
  const speed = await probeSpeed(tuned, shape);
  const forecast = forecastStep(plan, { rate: dropRate, least, dropsPrompts: dropped }, speed);
  const inTime = {
    saved: forecast.saved,
    savedAtHalf: forecastStep(plan, { rate: OTHER_RATE, least: 0 }, speed).saved,
  };
  const longestShape = shapeWithPrompt(rows, longestTime, promptShare);
  const longest = planStep(tuned, longestShape);
  const leastOfLongest = leastShare(dropSchedule, plannedRate(tuned, longestShape), bytesOf(longest));
  const secondsPerStep = forecast.seconds! * accumulation;
  const batches = steps * accumulation;
  const evaluations = data.heldOut === undefined ? 0 : 1 + Math.ceil(steps / evaluateEvery);
  const { model } = tuned;
  return {
    model: {
      source: model.source,
      parameters: countParameters(model),
      trainable: tuned.trainableCount,
    },
    data: {
      explanation: dataset.explanation,
      trainRows: counts.trainRows ?? null,
      heldOutRows: counts.heldOutRows ?? null,
      skippedRows: dataset.skipped.count,
      tooLongRows: counted.tooLongRows,
      cutTokens: counted.cutTokens,
      gluedRows: data.glued?.rows ?? 0,
      trainTokens: counts.trainTokens,
      learnedShare: counted.labels / counted.tokens,
      paddingShare: paddingShare(counted),
      paddingHint: paddingHint(paddingShare(counted), settings) ?? null,
    },
    training: {
      steps,
      batches,
      why: counts.why,
      tokens: Math.round(counts.epochs * counts.trainTokens),
      epochs: counts.epochs,
      ...{
        batch,
        meanTime,
        longestTime,
        dropRate: dropSchedule?.options.rate ?? dropRate,
        drops: dropsOf(tuned) ?? null,
        costs: { ...costs, ...inTime },
      },
    },
    memoryBytes: longest.memory(leastOfLongest, dropped),
    secondsPerStep,
    seconds:
      steps * secondsPerStep +
      evaluations * (data.heldOut === undefined ? 0 : await timeOf(() => evaluateLoss(tuned, data.heldOut!()))),
    examples: await data.examples(3),
  };
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
}

/** The same for people. */
export function showDryRun(plan: DryRun): Styled {
  const { model, data, training } = plan;
  const rows = data.trainRows === null ? 'a stream' : `${formatCount(data.trainRows)} to learn from`;
  const heldOut =
    data.heldOutRows === null
      ? ''
      : `, ${formatCount(data.heldOutRows)} held out to measure on (${flagName('heldOut')})`;
  const skipped = data.skippedRows === 0 ? '' : `, ${formatCount(data.skippedRows)} left out`;
  const cut =
    data.tooLongRows === 0
      ? undefined
      : `${formatCount(data.tooLongRows)} rows are longer than a sequence: ${formatCount(data.cutTokens)} tokens are cut off`;
  const fields = fieldLines([
    [
      'model',
      `${model.source}, ${formatLarge(model.trainable)} of ${formatLarge(model.parameters)} parameters trained`,
    ],
    ['data', data.explanation],
    ['rows', `${rows}${heldOut}${skipped}`],
    [
      'tokens',
      `${formatLarge(data.trainTokens)}, ${formatShare(data.learnedShare)} of them learned; ${data.paddingHint ?? `${formatShare(data.paddingShare)} of the batches is padding`}`,
    ],
    ['cut', cut],
    [
      'steps',
      `${formatCount(training.steps)} of ${formatCount((training.batch * training.batches) / training.steps)} sequences, ${training.meanTime} tokens long on average, ${training.longestTime} at most: ${training.why}`,
    ],
    [
      'in all',
      `${formatLarge(training.tokens)} tokens, ${Number(training.epochs.toPrecision(2))} times through the data`,
    ],
    ['DropBP', `${dropLine(training.costs, training.drops)}. ${costLine(training.costs, 'time')}`],
    ['memory', `about ${formatBytes(plan.memoryBytes)}`],
    ['time', `about ${formatDuration(plan.seconds)}, ${formatSeconds(plan.secondsPerStep)} a step, as probed here`],
  ]);
  const examples = plan.examples.map((parts, i) => showExample(parts, i + 1));
  return [fields, ...examples.flatMap(example => ['\n', example])];
}

function showExample(parts: readonly ExamplePart[], number: number): Styled {
  const title = paint('bold', `Example ${number}, as the model sees it`);
  const lines = parts.flatMap(({ text, counts }) =>
    text
      .replace(/\n$/, '')
      .split('\n')
      .map(
        (line, i) =>
          styled`  ${i > 0 ? '       ' : counts ? 'learned' : 'given  '}  ${paint(counts ? 'green' : 'dim', line)}\n`,
      ),
  );
  return [title, '\n', lines];
}
