import type { Results } from '../convergence/runPlan.ts';
import { caseRows, type CaseRow } from '../convergence/tables.ts';
import { pixels, svg, text, type Theme } from './chart.ts';
import { readResults } from './readResults.ts';

/** Cases of one kind; a line joins them in the order of their losses, but for those of more steps. */
interface Series {
  readonly name: string;
  readonly colour: keyof Theme;
  readonly isOf: RegExp;
  /** What stands beside a point. */
  readonly label: (name: string) => string;
  /** Whether it stands on the left, where lines of other cases pass on the right. */
  readonly isLeft?: boolean;
}

const dropped = (name: string): string => /[\d.]+/.exec(name)![0];

const series: readonly Series[] = [
  {
    ...{ name: 'no drops, fewer steps', colour: 'ink', isOf: /^no drop/ },
    label: name => (name === 'no drop' ? '' : `${dropped(name)} ×`),
  },
  { name: 'DropBP by depth, at each rate', colour: 'ours', isOf: /^depth [\d.]+( ×|$)/, label: dropped },
  { name: "the authors' DropBP", colour: 'other', isOf: /^reference [\d.]+( ×|$)/, label: dropped },
  {
    ...{ name: 'adapters of upper layers alone', colour: 'quiet', isOf: /^upper / },
    label: name => `${dropped(name)} %`,
    isLeft: true,
  },
];

const panels = [
  { title: 'All weights, a small model far from the new text', results: 'convergence.austen.full' },
  { title: 'LoRA, SmolLM2-135M', results: 'convergence.smollm2.lora' },
];

const [width, height] = [820, 396];
const panelWidth = width / panels.length;
const plot = { left: 44, right: 16, top: 84, bottom: 46 };
const plotWidth = panelWidth - plot.left - plot.right;
const plotHeight = height - plot.top - plot.bottom;
/** Shares of the time of the run without drops. */
const times = { least: 0.35, most: 1.15, ticks: [0.4, 0.6, 0.8, 1] };

/** Held-out loss at the end of a run against its time, as SVG. Reads two files of bench/results. */
export function lossChart(theme: Theme): string {
  const legend = series.flatMap(({ name, colour }, i) => {
    const x = [0, 176, 410, 580][i]!;
    return [dot(x + 6, 14, theme[colour], true), text(x + 18, 18, name, theme.ink)];
  });
  return svg(width, height, describeLosses, [
    ...legend,
    dot(6, 36, theme.ours, false),
    text(
      18,
      40,
      '1.5 times the steps at 0.5, 2.4 times at 0.875. Upright lines: how far three seeds lie apart',
      theme.quiet,
    ),
    ...panels.flatMap(({ title, results }, i) => panel(title, timedRows(results), i * panelWidth, theme)),
  ]);
}

/** The chart in words, for those who do not see it. */
export const describeLosses =
  'Held-out loss at the end of a run against the time it took, as a share of the run without drops: with all weights DropBP lies below runs of fewer steps without drops, with LoRA above.';

function panel(title: string, rows: readonly CaseRow[], offset: number, theme: Theme): string[] {
  const losses = rows.flatMap(({ loss, spread }) => [loss - spread / 2, loss + spread / 2]);
  const tick = Math.max(...losses) - Math.min(...losses) > 0.3 ? 0.1 : 0.05;
  const [least, most] = [Math.floor(Math.min(...losses) / tick) * tick, Math.ceil(Math.max(...losses) / tick) * tick];
  const x = (time: number): number =>
    pixels(offset + plot.left + ((time - times.least) / (times.most - times.least)) * plotWidth);
  const y = (loss: number): number => pixels(plot.top + ((most - loss) / (most - least)) * plotHeight);
  const ticks = Array.from({ length: Math.round((most - least) / tick) + 1 }, (_, i) => least + i * tick);
  const isLonger = (row: CaseRow): boolean => row.steps > rows[0]!.steps;
  const highest = rows.filter(isLonger).sort((a, b) => b.loss - a.loss)[0];
  // Runs of more steps lie close to each other: ours have their words on the right, below but for the highest.
  const beside = (
    row: CaseRow,
    words: string,
    colour: keyof Theme,
    isLeft = isLonger(row) && colour !== 'ours',
  ): string => {
    const isBelow = isLeft || (isLonger(row) && row !== highest);
    const [at, down] = [x(row.time) + (isLeft ? -6 : 6), isBelow ? 15 : -6];
    return text(at, y(row.loss) + down, words, theme[colour], isLeft ? 'end' : undefined);
  };
  return [
    text(offset, plot.top - 20, `<tspan font-weight="600">${title}</tspan>`, theme.ink),
    ...ticks.flatMap(loss => [
      line([x(times.least), y(loss)], [x(times.most), y(loss)], theme.line),
      text(offset + plot.left - 8, y(loss) + 4, loss.toFixed(tick < 0.1 ? 2 : 1), theme.quiet, 'end'),
    ]),
    ...times.ticks.map(time => text(x(time), height - plot.bottom + 18, String(time), theme.quiet, 'middle')),
    text(x((times.least + times.most) / 2), height - 8, 'time ÷ that of the run without drops', theme.quiet, 'middle'),
    ...series.flatMap(({ colour, isOf, label, isLeft }) => {
      const own = rows.filter(row => isOf.test(row.case));
      const joined = own.filter(row => !isLonger(row)).sort((a, b) => b.loss - a.loss);
      return [
        ...joined.slice(1).map((row, i) => {
          const before = joined[i]!;
          return line([x(before.time), y(before.loss)], [x(row.time), y(row.loss)], theme[colour]);
        }),
        ...own.flatMap(row => [
          line([x(row.time), y(row.loss - row.spread / 2)], [x(row.time), y(row.loss + row.spread / 2)], theme[colour]),
          dot(x(row.time), y(row.loss), theme[colour], !isLonger(row)),
          beside(row, label(row.case), colour, isLeft),
        ]),
      ];
    }),
  ];
}

/** The base first. */
function timedRows(name: string): CaseRow[] {
  const isShown = (row: CaseRow): boolean => !Number.isNaN(row.time) && series.some(({ isOf }) => isOf.test(row.case));
  return caseRows(readResults(name) as Results).filter(isShown);
}

function dot(x: number, y: number, colour: string, isFull: boolean): string {
  return `<circle cx="${x}" cy="${y}" r="4" stroke="${colour}" stroke-width="1.5" fill="${isFull ? colour : 'none'}"/>`;
}

function line([x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number], colour: string): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"/>`;
}
