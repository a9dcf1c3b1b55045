import { terminal, type Terminal } from '../src/terminal/terminal.ts';

/** A terminal that remembers what was written. */
export interface FakeTerminal extends Terminal {
  readonly written: { out: string; notes: string };
}

/** Without colours, and not interactive unless asked for. */
export function fakeTerminal(options: Partial<Terminal> = {}): FakeTerminal {
  const { isInteractive = false, columns = 80, outHasColor = false, notesHaveColor = false } = options;
  const written = { out: '', notes: '' };
  const stream = (name: keyof typeof written) => ({
    write: (text: string) => void (written[name] += text),
    isTTY: isInteractive,
    columns,
  });
  const env = outHasColor || notesHaveColor ? { FORCE_COLOR: '1' } : { NO_COLOR: '1' };
  const own = terminal(stream('out'), stream('notes'), env);
  return { ...own, onInterrupt: () => () => undefined, ...options, written };
}
