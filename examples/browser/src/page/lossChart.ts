import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { StepReport } from '../messages.ts';
import { element } from './element.ts';

/** The curves of a run. */
export interface LossChart {
  /** Begins a run of so many steps. */
  start(steps: number): void;
  add(report: StepReport): void;
}

const height = 240;
/** How much of the smooth curve is what it was a step before. */
const inertia = 0.8;

/** Puts the chart into the page. */
export function lossChart(): LossChart {
  const parent = element('chart', HTMLDivElement);
  const legend = element('legend', HTMLSpanElement);
  const steps: number[] = [];
  const losses: number[] = [];
  const smooth: number[] = [];
  const heldOut: (number | null)[] = [];
  let lastStep = 1;
  let plot = draw();

  const show = (): void => plot.setData([steps, losses, smooth, heldOut]);
  new ResizeObserver(() => plot.setSize({ width: parent.clientWidth, height })).observe(parent);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    plot.destroy();
    plot = draw();
    show();
  });

  function draw(): UPlot {
    const color = (name: string): string => getComputedStyle(probe(name)).color;
    const axis = {
      stroke: color('--quiet'),
      grid: { stroke: color('--line'), width: 1 },
      ticks: { show: false },
      font: '12px system-ui, sans-serif',
    };
    return new UPlot(
      {
        width: parent.clientWidth,
        height,
        legend: { show: false },
        cursor: { y: false },
        scales: { x: { time: false, range: () => [1, Math.max(2, lastStep)] } },
        axes: [
          { ...axis, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100] },
          { ...axis, size: 44 },
        ],
        series: [
          {},
          { stroke: color('--line'), width: 1.5, points: { show: false } },
          { stroke: color('--accent'), width: 2.5, points: { show: false } },
          { stroke: color('--second'), width: 2, spanGaps: true, points: { show: true, size: 7 } },
        ],
        hooks: { setCursor: [({ cursor: { idx } }) => describe(idx ?? undefined)] },
      },
      [steps, losses, smooth, heldOut],
      parent,
    );
  }

  /** The numbers under the cursor, or the newest. */
  function describe(index = steps.length - 1): void {
    const loss = losses[index];
    if (loss === undefined) {
      legend.replaceChildren();
      return;
    }
    const held = heldOut.slice(0, index + 1).findLast(value => value !== null);
    const entry = (variable: string, text: string): HTMLElement => {
      const span = Object.assign(document.createElement('span'), { textContent: text });
      span.style.setProperty('--of', `var(${variable})`);
      return span;
    };
    legend.replaceChildren(
      entry('--accent', `training ${smooth[index]!.toFixed(2)}`),
      ...(held === undefined ? [] : [entry('--second', `held out ${held.toFixed(2)}`)]),
    );
  }

  return {
    start(count) {
      lastStep = count;
      for (const list of [steps, losses, smooth, heldOut]) list.length = 0;
      show();
      describe();
    },
    add({ step, loss, heldOutLoss }) {
      steps.push(step);
      losses.push(loss);
      // A mean of the steps so far, in which old ones fade. Source: the bias correction of Adam.
      const fading = losses.reduceRight((sum, value, i) => sum + value * inertia ** (losses.length - 1 - i), 0);
      smooth.push((fading * (1 - inertia)) / (1 - inertia ** losses.length));
      heldOut.push(heldOutLoss ?? null);
      show();
      describe();
    },
  };
}

/** An element of the colour that a variable names: canvases know no `light-dark()`. */
function probe(variable: string): HTMLElement {
  const id = `probe${variable}`;
  const found = document.getElementById(id);
  if (found) return found;
  const made = Object.assign(document.createElement('i'), { id, hidden: true });
  made.style.color = `var(${variable})`;
  document.body.append(made);
  return made;
}
