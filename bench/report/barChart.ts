import { pixels, svg, text, type Theme } from './chart.ts';

/** A bar with its name on the left, and beside it what it measures. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Stands beside the bar. */
  readonly shown: string;
  /** What the others are compared with: drawn in a quiet colour. */
  readonly isBase?: boolean;
}

/** A chart of bars under one title. */
export interface Bars {
  readonly title: string;
  readonly bars: readonly Bar[];
}

const width = 760;
const [left, barWidth, barHeight, rowHeight, top] = [250, 420, 16, 26, 36];

/** Bars below each other, the longest over the full width, as SVG. */
export function barChart({ title, bars }: Bars, { ink, quiet, ours, theirs }: Theme): string {
  const most = Math.max(...bars.map(({ value }) => value));
  const rows = bars.flatMap(({ name, value, shown, isBase }, i) => {
    const y = top + i * rowHeight;
    const length = pixels((value / most) * barWidth);
    return [
      text(left - 10, y + 13, name, ink, 'end'),
      `<rect x="${left}" y="${y}" width="${length}" height="${barHeight}" rx="2" fill="${isBase === true ? theirs : ours}"/>`,
      text(pixels(left + length + 8), y + 13, shown, ink),
    ];
  });
  return svg(width, top + bars.length * rowHeight + 4, describeBars({ title, bars }), [
    text(0, 18, title, quiet),
    ...rows,
  ]);
}

/** The chart in words, for those who do not see it. */
export function describeBars({ title, bars }: Bars): string {
  return `${title}: ${bars.map(({ name, shown }) => `${name} ${shown}`).join(', ')}.`;
}
