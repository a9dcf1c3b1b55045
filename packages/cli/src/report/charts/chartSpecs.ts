import { dropText } from '../../drops/dropText.ts';
import type { RunRecord, StepRecord } from '../../record/runRecord.ts';
import { alignSeries, type Curve } from './alignSeries.ts';
import { smoothCurve } from './smoothCurve.ts';

/** A line of a chart. Colours go by the run, so that a run looks the same in all charts. */
export interface SeriesSpec {
  readonly label: string;
  /** Index of the run. */
  readonly run: number;
  /** `'faint'`: the raw values behind a smoothed line. `'points'`: a line with each value marked. `'dots'`: no line. */
  readonly style: 'line' | 'faint' | 'points' | 'dots' | 'bars';
}

/** A chart as the page's script draws it. */
export interface ChartSpec {
  readonly title: string;
  /** A sentence on what is to be seen. */
  readonly note: string;
  readonly xLabel: string;
  /** Names of the x positions, where they are not numbers. */
  readonly xNames?: readonly string[];
  readonly format: 'number' | 'percent' | 'scientific' | 'bytes';
  readonly fromZero: boolean;
  readonly series: readonly SeriesSpec[];
  /** x, then one column per series. */
  readonly data: readonly (readonly (number | null)[])[];
}

/** Points per curve that a chart shows at most; longer runs are averaged. */
export const maxPoints = 1000;

/** The charts of one or several runs, those without values left out. */
export function chartSpecs(runs: readonly RunRecord[]): ChartSpec[] {
  const charts = [
    lossChart(runs),
    heldOutChart(runs),
    stepChart(runs, {
      title: 'Dropped backward pass',
      note: "Share of the branches' backward FLOPs that a step left out, averaged over about 20 steps.",
      format: 'percent',
      value: step => step.dropped,
      smooth: 20,
      isShown: run => run.steps.some(step => step.dropped > 0),
    }),
    rateChart(runs),
    sensitivityChart(runs),
    stepChart(runs, {
      title: 'Seconds per step',
      note: 'Forward, backward and update, averaged over about 10 steps.',
      format: 'number',
      value: step => step.seconds,
      smooth: 10,
    }),
    stepChart(runs, {
      title: 'Memory',
      note: 'What the process held after a step.',
      format: 'bytes',
      value: step => step.memoryBytes,
    }),
    stepChart(runs, {
      title: 'Gradient norm',
      note: 'Before clipping. Steps without a gradient have no point.',
      format: 'number',
      value: step => step.gradientNorm,
    }),
    stepChart(runs, {
      title: 'Learning rate',
      note: 'As the schedule gave it.',
      format: 'scientific',
      value: step => step.learningRate,
    }),
  ];
  return charts.filter(chart => chart.series.length > 0 && (chart.data[0]?.length ?? 0) > 0);
}

interface StepChartOptions {
  readonly title: string;
  readonly note: string;
  readonly format: ChartSpec['format'];
  readonly value: (step: StepRecord) => number | null;
  readonly smooth?: number;
  readonly isShown?: (run: RunRecord) => boolean;
}

function stepChart(runs: readonly RunRecord[], options: StepChartOptions): ChartSpec {
  const { title, note, format, value, smooth, isShown = () => true } = options;
  const curves = runs.flatMap((run, index): (Curve & SeriesSpec)[] => {
    if (!isShown(run)) return [];
    const points = run.steps.map(step => ({ x: step.step, y: value(step) }));
    const known = points.filter((point): point is { x: number; y: number } => point.y !== null);
    const ys = known.map(point => point.y);
    const shown = smooth === undefined ? ys : smoothed(ys, smooth);
    return [{ label: run.name, run: index, style: 'line', x: known.map(point => point.x), y: shown }];
  });
  return fromCurves({ title, note, format, xLabel: 'step', fromZero: true }, curves);
}

/** Of longer curves each point that is shown is a mean already, of more values than a window has. */
const MOST_SMOOTHED = 30 * maxPoints;

function smoothed(values: readonly number[], span: number): readonly number[] {
  return values.length > MOST_SMOOTHED ? values : smoothCurve(values, span);
}

function lossChart(runs: readonly RunRecord[]): ChartSpec {
  const curves = runs.flatMap((run, index): (Curve & SeriesSpec)[] => {
    const x = run.steps.map(step => step.step);
    const raw = run.steps.map(step => step.loss);
    const span = Math.min(30, Math.max(1, run.steps.length / 15));
    return [
      { label: `${run.name}, each step`, run: index, style: 'faint', x, y: raw },
      { label: run.name, run: index, style: 'line', x, y: smoothed(raw, span) },
    ];
  });
  const note = 'Mean over the tokens of a step, in nats; the strong line is smoothed.';
  return fromCurves({ title: 'Training loss', note, format: 'number', xLabel: 'step', fromZero: false }, curves);
}

function heldOutChart(runs: readonly RunRecord[]): ChartSpec {
  const curves = runs.flatMap((run, index): (Curve & SeriesSpec)[] => {
    const [x, y] = [run.heldOut.map(point => point.step), run.heldOut.map(point => point.loss)];
    return x.length === 0 ? [] : [{ label: run.name, run: index, style: 'points', x, y }];
  });
  const kept = runs.flatMap(({ heldOut, ended }) => heldOut.find(({ step }) => step === ended?.keptStep) ?? []);
  const keptNote = kept.map(({ step, loss }) => `step ${step} with ${loss.toFixed(3)}`).join(' and ');
  const note = `On text that training never saw, in nats per token.${keptNote === '' ? '' : ` Kept: ${keptNote}.`}`;
  return fromCurves({ title: 'Held-out loss', note, format: 'number', xLabel: 'step', fromZero: false }, curves);
}

function rateChart(runs: readonly RunRecord[]): ChartSpec {
  const dropping = runs.flatMap((run, index) => (run.branches.some(b => b.dropRate > 0) ? [{ run, index }] : []));
  const longest = dropping.reduce<RunRecord['branches']>(
    (most, { run }) => (run.branches.length > most.length ? run.branches : most),
    [],
  );
  const curves = dropping.map(({ run, index }): Curve & SeriesSpec => {
    const y = run.branches.map(branch => (branch.leads === false ? NaN : branch.dropRate));
    // Bars of several runs would hide each other.
    const style = dropping.length === 1 ? 'bars' : 'dots';
    return { label: run.name, run: index, style, x: y.map((_, i) => i), y };
  });
  const ways = [...new Set(dropping.flatMap(({ run }) => (run.drops ? [dropText(run.drops)] : [])))].join(' and ');
  const how = ways === '' ? '' : `, ${ways}`;
  const note = `How often each branch is to skip its backward pass, at the end of the run${how}. Those without a bar have none. Numbers name blocks.`;
  const spec = {
    title: 'Drop rate of each branch',
    note,
    format: 'percent' as const,
    xLabel: 'branch',
    fromZero: true,
  };
  return { ...fromCurves(spec, curves), xNames: longest.map(branch => branch.path) };
}

function sensitivityChart(runs: readonly RunRecord[]): ChartSpec {
  const measured = runs.flatMap((run, index) =>
    run.branches.some(({ sensitivity }) => sensitivity !== undefined) ? [{ run, index }] : [],
  );
  const curves = measured.map(({ run, index }): Curve & SeriesSpec => {
    const y = run.branches.map(({ sensitivity }) => sensitivity ?? NaN);
    return { label: run.name, run: index, style: measured.length === 1 ? 'bars' : 'dots', x: y.map((_, i) => i), y };
  });
  const spec = {
    title: 'Sensitivity of each branch',
    note: 'How much the norms of all gradients change when the branch is dropped: Σ (‖g‖ − ‖g′‖)².',
    format: 'scientific' as const,
    xLabel: 'branch',
    fromZero: true,
  };
  return { ...fromCurves(spec, curves), xNames: (measured[0]?.run.branches ?? []).map(branch => branch.path) };
}

function fromCurves(spec: Omit<ChartSpec, 'series' | 'data'>, curves: readonly (Curve & SeriesSpec)[]): ChartSpec {
  const series = curves.map(({ label, run, style }) => ({ label, run, style }));
  return { ...spec, series, data: alignSeries(curves, maxPoints) };
}
