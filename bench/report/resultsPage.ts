import { barChart, describeBars } from './barChart.ts';
import { picture, type Theme } from './chart.ts';
import { describeLosses } from './lossChart.ts';
import { questions, type Question } from './questions.ts';
import { describeSteps } from './stepChart.ts';

/** docs/results.md: each question with its answer, a chart and a table. */
export function resultsPage(): string {
  return `# Results

Every number of this page is filled in from a file of [\`bench/results\`](../bench/results). The pages behind the links have all tables,
with command, machine and commit. [How we measure](../bench/README.md) · [what did not help](notes/what-did-not-help.md) · [when dropping pays](when-drops-pay.md)

${questions().map(section).join('\n\n')}
`;
}

function section({ heading, answer, chart, bars, table, page }: Question): string {
  const described = bars ? describeBars(bars) : chart === 'step' ? describeSteps() : describeLosses;
  const inOneLine = picture(chart, described, '../').replaceAll(/\n\s*/g, '');
  return `## ${heading}\n${answer} [All tables](../bench/results/${page}.md)\n${inOneLine}\n\n${table}`;
}

/** The charts that the questions bring, by name. */
export function barCharts(): Readonly<Record<string, (theme: Theme) => string>> {
  return Object.fromEntries(
    questions().flatMap(({ chart, bars }) => (bars ? [[chart, (theme: Theme) => barChart(bars, theme)]] : [])),
  );
}
