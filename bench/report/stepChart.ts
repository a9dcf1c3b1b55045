import { picture, pixels, svg, text, type Theme } from './chart.ts';
import { readResults, writtenBy, type Written } from './readResults.ts';

interface Measurement {
  readonly name: string;
  readonly medianSeconds: number;
  readonly peakMB: number;
}

/** One half of the chart. */
interface Panel {
  readonly title: string;
  readonly value: (measurement: Measurement) => number;
  readonly show: (value: number) => string;
}

const panels: readonly Panel[] = [
  { title: 'Time of a step', value: row => row.medianSeconds, show: value => `${value.toFixed(2)} s` },
  { title: 'Peak memory', value: row => row.peakMB, show: value => `${value} MB` },
];

/** At these rates the results hold a pair. */
const rates: readonly number[] = [0, 0.5, 0.875];

const width = 760;
const left = 88;
const panelWidth = (width - left) / panels.length;
/** What a bar of full length has; beside it stands its value. */
const barWidth = 200;
const barHeight = 13;
const rowHeight = 46;
const top = 64;

/** Our step beside PyTorch's, in time and memory, as SVG. Reads bench/results/compare.1x512.json. */
export function stepChart({ ink, quiet, ours, theirs }: Theme): string {
  const pairs = rates.map(rate => ({ rate, ...pairAt(rate) }));
  const height = top + pairs.length * rowHeight - 8;
  const parts = [
    legend(0, ours, 'DropBP for TypeScript', ink),
    legend(176, theirs, 'PyTorch and PEFT, same weights, same dropped branches', ink),
    ...pairs.map(({ rate }, i) => text(0, middle(i), rate === 0 ? 'no drop' : `rate ${rate}`, ink)),
    ...panels.flatMap(({ title, value, show }, p) => {
      const x = left + p * panelWidth;
      const full = Math.max(...pairs.flatMap(({ own, other }) => [value(own), value(other)]));
      const bar = (amount: number, y: number, fill: string): string =>
        `<rect x="${x}" y="${y}" width="${pixels((amount / full) * barWidth)}" height="${barHeight}" rx="2" fill="${fill}"/>`;
      const end = (amount: number): number => pixels(x + (amount / full) * barWidth + 7);
      return [
        text(x, top - 12, title, quiet),
        ...pairs.flatMap(({ own, other }, i) => {
          const [y, a, b] = [top + i * rowHeight, value(own), value(other)];
          const ratio = `<tspan font-weight="600">${(a / b).toFixed(2)}×</tspan>`;
          return [
            bar(a, y, ours),
            text(end(a), y + 11, `${show(a)} · ${ratio}`, ink),
            bar(b, y + barHeight + 3, theirs),
            text(end(b), y + barHeight + 14, show(b), quiet),
          ];
        }),
      ];
    }),
  ];
  return svg(width, height, describeSteps(), parts);
}

/** For a Markdown file in the root: the chart on either ground, and the command that measured. */
export function stepPicture(): string {
  return `${picture('step', describeSteps(), '')}

${writtenBy(readResults('compare.1x512') as Written)}`;
}

/** The chart in words, for those who do not see it. */
export function describeSteps(): string {
  const ratios = panels.map(({ title, value }) => {
    const all = rates.map(rate => {
      const { own, other } = pairAt(rate);
      return `${(value(own) / value(other)).toFixed(2)} at rate ${rate}`;
    });
    return `${title}, ours ÷ PyTorch's: ${all.join(', ')}`;
  });
  return `${ratios.join('. ')}.`;
}

function pairAt(rate: number): { readonly own: Measurement; readonly other: Measurement } {
  const { measurements } = readResults('compare.1x512') as Written & { measurements: Measurement[] };
  const find = (name: string): Measurement => {
    const found = measurements.find(row => row.name === name);
    if (found) return found;
    throw new Error(`compare.1x512.json has no '${name}'; it has ${measurements.map(row => row.name).join(', ')}`);
  };
  return { own: find(`ours lora ${rate}`), other: find(`torch lora ${rate}`) };
}

function middle(row: number): number {
  return top + row * rowHeight + barHeight + 6;
}

function legend(x: number, fill: string, words: string, ink: string): string {
  return `<rect x="${x}" y="8" width="12" height="12" rx="2" fill="${fill}"/>\n${text(x + 18, 18, words, ink)}`;
}
