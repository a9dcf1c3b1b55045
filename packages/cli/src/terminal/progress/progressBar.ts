import { formatBytes, formatCount, formatDuration, formatShare } from '../formatNumber.ts';
import { clearLine, cutToWidth, displayWidth, paint, styled, withinLine, type Styled } from '../paint.ts';
import { smoothed } from './smoothed.ts';
import { speedMeter } from './speedMeter.ts';
import type { Terminal } from '../terminal.ts';

/** What a step reports to the bar. */
export interface Progress {
  /** Steps done. */
  readonly step: number;
  /** Loss of this step in nats per token. */
  readonly loss: number;
  /** Tokens of this step. */
  readonly tokens: number;
  /** Time of this step alone. */
  readonly seconds: number;
  /** Share of the backward FLOPs that the step dropped; undefined without DropBP. */
  readonly dropped?: number | undefined;
  /** Learning rate of this step. */
  readonly learningRate?: number | undefined;
  /** What the process holds in memory. */
  readonly memoryBytes?: number | undefined;
}

/** A bar on a terminal, or plain lines elsewhere. */
export interface ProgressBar {
  /** Shows a step that is done. */
  update(progress: Progress): void;
  /** Writes a line above the bar. It ends in a line break. */
  note(line: Styled): void;
  /** Leaves the last state on the screen and goes to the next line. A second call does nothing. */
  stop(): void;
}

/** What {@link progressBar} takes. */
export interface ProgressBarOptions {
  /** Where it is drawn. */
  readonly terminal: Terminal;
  /** Steps in all. */
  readonly total: number;
  /** Steps that were done before. @defaultValue 0 */
  readonly start?: number;
  /** What is going on: `'train'`. */
  readonly label: string;
  /** Milliseconds, as of `performance.now`. */
  readonly now?: () => number;
}

const redrawMs = 100;
const plainLineMs = 30_000;
/** Characters of a bar that says something. */
const leastBar = 6;

/**
 * Shows steps done, loss (smoothed over about ten steps), tokens per second, time left, memory, learning rate and dropped
 * share, as far as there is room.
 * Elsewhere than on a terminal: a line for each tenth of the steps, and one each half minute in between.
 */
export function progressBar(options: ProgressBarOptions): ProgressBar {
  const { terminal, total, start = 0, label, now = () => performance.now() } = options;
  const startMs = now();
  const meter = speedMeter(startMs, start);
  let last: Progress | undefined;
  let loss = smoothed();
  let dropped = smoothed();
  let writtenMs = -Infinity;
  let isStopped = false;

  const parts = (): string[] => {
    const { step, learningRate, memoryBytes } = last!;
    const left = (meter.secondsPerStep() ?? NaN) * (total - step);
    const time = step < total ? `${formatDuration(left)} left` : `${formatDuration((now() - startMs) / 1000)} done`;
    const ofAll = formatCount(total);
    // Of even width, so that the bar does not tremble.
    return [
      `${formatCount(step).padStart(ofAll.length)}/${ofAll}`,
      `loss ${loss.value.toFixed(3)}`,
      `${formatCount(meter.tokensPerSecond()).padStart(6)} tokens/s`,
      time.padStart(10),
      ...(memoryBytes === undefined ? [] : [formatBytes(memoryBytes).padStart(8)]),
      ...(learningRate === undefined ? [] : [`lr ${learningRate.toExponential(1)}`]),
      ...(dropped.hasValue ? [`dropped ${formatShare(dropped.value).padStart(4)}`] : []),
    ];
  };
  const draw = (): void => {
    writtenMs = now();
    terminal.notes([clearLine, barLine(label, last!.step / total, parts(), terminal.columns)]);
  };
  const isTenth = (step: number, before: number): boolean =>
    step >= total || Math.floor((10 * step) / total) > Math.floor((10 * before) / total);

  return {
    update(progress) {
      const before = last?.step ?? start;
      const isFirst = last === undefined;
      last = progress;
      loss = loss.with(progress.loss);
      if (progress.dropped !== undefined) dropped = dropped.with(progress.dropped);
      meter.add(now(), progress);
      if (terminal.isInteractive) {
        if (now() - writtenMs >= redrawMs || progress.step >= total) draw();
      } else if (isFirst || isTenth(progress.step, before) || now() - writtenMs >= plainLineMs) {
        writtenMs = now();
        terminal.notes(styled`${label} ${parts().join('  ')}\n`);
      }
    },
    note(line) {
      terminal.notes([clearLine, line]);
      if (terminal.isInteractive && last !== undefined && !isStopped) draw();
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      if (!terminal.isInteractive || last === undefined) return;
      draw();
      terminal.notes('\n');
    },
  };
}

/** The bar takes what the text leaves; on a narrow screen the label goes first, then the last parts, then the bar. */
function barLine(label: string, share: number, parts: readonly string[], columns: number): Styled {
  // The last column stays free: some terminals wrap as soon as it is written.
  const room = Math.max(10, columns - 1);
  const shown = [...parts];
  const widthBeside = (head: Styled): number => room - displayWidth(head) - 2 - displayWidth(shown.join('  '));
  const title = withinLine(`${label} `);
  const head = widthBeside(title) < leastBar ? '' : title;
  while (shown.length > 1 && widthBeside(head) < leastBar) shown.pop();
  const text = shown.join('  ');
  const width = Math.min(40, widthBeside(head));
  if (width < leastBar) return cutToWidth(text, room);
  const done = Math.round(width * Math.min(1, Math.max(0, share)));
  const bar = [paint('cyan', '━'.repeat(done)), paint('dim', '─'.repeat(width - done))];
  return styled`${head}${bar}  ${text}`;
}
