import { clearLine, cutToWidth, paint, styled } from './paint.ts';
import type { Terminal } from './terminal.ts';

/** A line about what goes on: drawn again and again on a terminal, written once elsewhere. */
export interface StatusLine {
  /** What goes on now. `progress` is shown on a terminal only. */
  show(text: string, progress?: string): void;
  /** Takes the line away. */
  clear(): void;
}

const redrawMs = 100;

/** Starts without a line. */
export function statusLine(terminal: Terminal, now: () => number = () => performance.now()): StatusLine {
  let current: string | undefined;
  let drawnMs = -Infinity;
  return {
    show(text, progress) {
      const isNew = text !== current;
      current = text;
      if (!terminal.isInteractive) {
        if (isNew) terminal.notes(styled`${text} …\n`);
        return;
      }
      if (!isNew && now() - drawnMs < redrawMs) return;
      drawnMs = now();
      const line = cutToWidth(`${text} ${progress ?? '…'}`, terminal.columns - 1);
      terminal.notes([clearLine, paint('dim', line)]);
    },
    clear() {
      if (terminal.isInteractive && current !== undefined) terminal.notes(clearLine);
      current = undefined;
    },
  };
}
