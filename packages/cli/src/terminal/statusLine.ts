import { cutToWidth, paint } from './paint.ts';
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
        if (isNew) terminal.notes(`${text} …\n`);
        return;
      }
      if (!isNew && now() - drawnMs < redrawMs) return;
      drawnMs = now();
      const line = cutToWidth(`${text} ${progress ?? '…'}`, terminal.columns - 1);
      terminal.notes(`\r\u001B[2K${paint('dim', line, terminal.notesHaveColor)}`);
    },
    clear() {
      if (terminal.isInteractive && current !== undefined) terminal.notes('\r\u001B[2K');
      current = undefined;
    },
  };
}
