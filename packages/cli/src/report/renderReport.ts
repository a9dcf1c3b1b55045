import { costLine, dropLine } from '../drops/dropCosts.ts';
import { readReportAssets } from '../reportAssets.ts';
import { heldOutFault } from '../record/heldOutCourse.ts';
import type { RunRecord, StepRecord } from '../record/runRecord.ts';
import { chartSpecs, type ChartSpec } from './charts/chartSpecs.ts';
import { markup, jsonScript, trusted, type Markup } from './markup.ts';
import { decisionText } from '../drops/dropText.ts';
import { optionsTable } from './optionsTable.ts';
import { samples } from './samples.ts';
import { definitionPage, worthLines } from './stepWorth.ts';
import { summaryTable } from './summaryTable.ts';

/**
 * One or several runs as a page that stands alone: no file, no font and no script from elsewhere. Runs are laid over
 * each other; the first is what the others are compared with.
 *
 * @throws RangeError where there is no run
 */
export function renderReport(runs: readonly RunRecord[]): string {
  const [first] = runs;
  if (first === undefined) throw new RangeError('a report needs at least one run');
  const { style, script, chartStyle, chartScript, chartLicence } = readReportAssets();
  const charts = chartSpecs(runs);
  const title = `${lastPart(first.model.source)} on ${lastPart(first.data.source)}`;
  const page = markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="generator" content="dropbp" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
        />
        <title>${title} – dropbp</title>
        <style>
          ${trusted(chartStyle)}
          ${trusted(style)}
        </style>
      </head>
      <body>
        <header>
          <h1>${title}</h1>
          <p class="about">${aboutLine(first)}</p>
        </header>
        <main>
          <section aria-labelledby="summary">
            <h2 id="summary">Result</h2>
            ${summaryTable(runs)}
            ${runs.flatMap(whyLines)}
            ${worthNotes(runs)}
          </section>
          <section aria-labelledby="charts">
            <h2 id="charts">Course of training</h2>
            <noscript><p>The curves need JavaScript; the other parts of this page do not.</p></noscript>
            <div class="charts">${charts.map(figure)}</div>
          </section>
          ${samples(runs)}
          <section aria-labelledby="options">
            <h2 id="options">Options</h2>
            ${optionsTable(runs)}
          </section>
        </main>
        <footer><p>Made by dropbp. Charts by uPlot, MIT licence.</p></footer>
        ${jsonScript('chart-data', charts)}
        <script>
          /*
          ${trusted(chartLicence.replaceAll('*/', '* /'))}
          */
          ${trusted(chartScript)}
        </script>
        <script>
          ${trusted(script)}
        </script>
      </body>
    </html>
`;
  return page.html;
}

function figure(chart: ChartSpec, index: number): Markup {
  const id = `chart-${index}`;
  return markup`<figure>
    <figcaption>
      <h3 id="${id}">${chart.title}</h3>
      <p>${chart.note}</p>
    </figcaption>
    <div class="chart" data-chart="${index}" role="group" aria-labelledby="${id}"></div>
  </figure>`;
}

function aboutLine(run: RunRecord): string {
  const date = run.startedAt.slice(0, 16).replace('T', ' ');
  const versions = Object.entries(run.versions).map(([name, version]) => `${name} ${version}`);
  return [`${date} UTC`, ...stateOf(run), `backend ${run.backend}`, ...versions].join(' · ');
}

/** How long a run was, what it dropped and what it was measured on, and why; nothing of runs of before that was kept. */
function whyLines({ name, steps, options, length, costs, drops, data }: RunRecord): Markup[] {
  const planned = typeof options.steps === 'number' ? options.steps : steps.length;
  const lines = [
    ...(length ? [`${planned} steps: ${length.why}.`] : []),
    ...(costs ? [`DropBP: ${dropLine(costs, drops)}. ${costLine(costs, 'FLOPs')}`] : []),
    ...steps.flatMap(decisionLine),
    ...(typeof data.heldOutRows === 'number' && data.heldOutRows > 0 ? [`Held-out rows: ${data.heldOutRows}.`] : []),
  ];
  return lines.length === 0 ? [] : [markup`<p class="about">${name}: ${lines.join(' ')}</p>`];
}

/** Whether drops paid, and where r and s are defined; nothing where no run can be judged. */
function worthNotes(runs: readonly RunRecord[]): Markup | null {
  const [verdicts, definition] = worthLines(runs);
  if (definition === undefined) return null;
  return markup`<p class="about">${verdicts.join(' ')} ${definition} <a href="${definitionPage}">When drops pay</a></p>`;
}

function decisionLine({ step, promptDecision }: StepRecord): string[] {
  return promptDecision === undefined ? [] : [`Step ${step}: ${decisionText(promptDecision)}.`];
}

/** What has become of the run, where it did not take all its steps. */
function stateOf(run: RunRecord): string[] {
  const { ended, steps } = run;
  const fault = ended === null ? undefined : heldOutFault(run);
  if (fault?.kind === 'worse') return [...lifeOf(run), 'training did not lower the held-out loss'];
  if (fault?.kind === 'overfit') {
    return [...lifeOf(run), `overfit: the held-out loss was lowest after step ${fault.best.step}`];
  }
  return lifeOf({ ended, steps });
}

function lifeOf({ ended, steps }: Pick<RunRecord, 'ended' | 'steps'>): string[] {
  const step = steps.at(-1)?.step ?? 0;
  if (ended === null) return [`in training, after step ${step}`];
  if (ended.why === 'stop') return [`stopped after step ${step}`];
  if (ended.why === 'patience') return [`ended early after step ${step}: the held-out loss no longer fell`];
  return [];
}

/** The last part of a path or hub id. */
function lastPart(source: string): string {
  return source.split(/[\\/]/).filter(Boolean).at(-1) ?? source;
}
