import { formatBytes, formatCount, formatLarge, formatSeconds, formatShare } from '../terminal/formatNumber.ts';
import type { RunRecord } from '../run/runRecord.ts';
import { html, type Html } from './html.ts';

/** A figure of a run. */
interface Measure {
  readonly title: string;
  readonly value: (run: RunRecord) => number | undefined;
  readonly show: (value: number) => string;
  /** Whether the difference from the first run says something. */
  readonly isCompared?: boolean;
}

const measures: readonly Measure[] = [
  { title: 'Held-out loss before', value: run => run.heldOut[0]?.loss, show: loss => loss.toFixed(3) },
  { title: 'Held-out loss after', value: heldOutAfter, show: loss => loss.toFixed(3), isCompared: true },
  { title: 'Training time', value: run => run.trainSeconds, show: formatSeconds, isCompared: true },
  { title: 'Peak memory', value: run => run.peakMemoryBytes, show: formatBytes, isCompared: true },
  { title: 'Tokens per second', value: tokensPerSecond, show: formatCount, isCompared: true },
  { title: 'Backward pass dropped', value: droppedShare, show: formatShare },
  { title: 'Steps', value: run => run.steps.length, show: formatCount },
  { title: 'Trained parameters', value: run => run.model.trainable, show: formatLarge },
  { title: 'Parameters in all', value: run => run.model.parameters, show: formatLarge },
  { title: 'Tokens to train on', value: run => run.data.trainTokens, show: formatLarge },
];

/** The runs' figures, a column per run. */
export function summaryTable(runs: readonly RunRecord[]): Html {
  const shown = measures.filter(measure => runs.some(run => measure.value(run) !== undefined));
  return html`<div class="scroll">
    <table class="summary">
      <thead>
        <tr>
          <th></th>
          ${runs.map((run, i) => html`<th scope="col"><span class="key run-${i % 6}"></span>${run.name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${shown.map(
          measure =>
            html`<tr>
              <th scope="row">${measure.title}</th>
              ${runs.map(run => cell(measure, run, runs[0]!))}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}

function cell({ value, show, isCompared = false }: Measure, run: RunRecord, first: RunRecord): Html {
  const [own, base] = [value(run), value(first)];
  if (own === undefined) return html`<td>–</td>`;
  const difference = isCompared && run !== first && base !== undefined && base !== 0 ? own / base - 1 : undefined;
  return html`<td>${show(own)}${difference === undefined ? null : html` <small>${signed(difference)}</small>`}</td>`;
}

function signed(difference: number): string {
  const percent = (Math.abs(difference) * 100).toFixed(Math.abs(difference) < 0.1 ? 1 : 0);
  return `${difference < 0 ? '−' : '+'}${percent} %`;
}

function heldOutAfter(run: RunRecord): number | undefined {
  return run.heldOut.length > 1 ? run.heldOut.at(-1)!.loss : undefined;
}

function tokensPerSecond(run: RunRecord): number | undefined {
  const tokens = run.steps.reduce((sum, step) => sum + step.tokens, 0);
  return run.trainSeconds > 0 ? tokens / run.trainSeconds : undefined;
}

/** Mean over the steps. */
export function droppedShare(run: RunRecord): number {
  return run.steps.reduce((sum, step) => sum + step.dropped, 0) / Math.max(1, run.steps.length);
}
