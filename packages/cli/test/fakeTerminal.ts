import type { Terminal } from '../src/terminal/terminal.ts';

/** A terminal that remembers what was written. */
export interface FakeTerminal extends Terminal {
  readonly written: { out: string; notes: string };
}

/** Without colours, and not interactive unless asked for. */
export function fakeTerminal(options: Partial<Terminal> = {}): FakeTerminal {
  const written = { out: '', notes: '' };
  return {
    out: text => void (written.out += text),
    notes: text => void (written.notes += text),
    isInteractive: false,
    columns: 80,
    outHasColor: false,
    notesHaveColor: false,
    onInterrupt: () => () => undefined,
    ...options,
    written,
  };
}
