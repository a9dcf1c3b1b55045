import type { Readable } from 'node:stream';

/** Where a command writes. Results go to `out`, everything about their making to `notes`. */
export interface Terminal {
  /** Standard output. */
  readonly out: (text: string) => void;
  /** Standard input. @defaultValue the process's */
  readonly input?: Readable;
  /** Standard error. */
  readonly notes: (text: string) => void;
  /** Whether `notes` reaches a screen on which a line can be drawn again. */
  readonly isInteractive: boolean;
  /** Width of the screen, in characters. */
  readonly columns: number;
  /** Whether standard output shows colours. */
  readonly outHasColor: boolean;
  /** Whether standard error shows colours. */
  readonly notesHaveColor: boolean;
  /** Calls back for Ctrl-C and the like, which then do not end the program. @returns what ends the calls */
  onInterrupt(listener: (signal: Interrupt) => void): () => void;
}

/** A signal that asks a program to end. */
export type Interrupt = 'SIGINT' | 'SIGTERM';

/** What takes away the line that a screen is at; nothing elsewhere. */
export function clearLine({ isInteractive }: Pick<Terminal, 'isInteractive'>): string {
  return isInteractive ? '\r\u001B[2K' : '';
}

/** The parts of a stream of Node's that a terminal is made from. */
export interface TerminalStream {
  /** Writes as it stands. */
  write(text: string): unknown;
  /** Whether a person looks at it. */
  readonly isTTY?: boolean | undefined;
  /** Characters in a line; none where it is no terminal. */
  readonly columns?: number | undefined;
}

/**
 * A terminal over two streams. `NO_COLOR` (any value but the empty one) and `TERM=dumb` turn colours off, `FORCE_COLOR`
 * turns them on where no screen is. Source: no-color.org, force-color.org.
 */
export function terminal(
  out: TerminalStream,
  notes: TerminalStream,
  env: Readonly<Record<string, string | undefined>> = {},
): Terminal {
  const isSet = (name: string): boolean => (env[name] ?? '') !== '';
  const isDumb = env.TERM === 'dumb';
  const hasColor = (stream: TerminalStream): boolean => {
    if (isSet('NO_COLOR')) return false;
    if (isSet('FORCE_COLOR')) return env.FORCE_COLOR !== '0';
    return stream.isTTY === true && !isDumb;
  };
  return {
    out: text => void out.write(text),
    notes: text => void notes.write(text),
    isInteractive: notes.isTTY === true && !isDumb,
    get columns() {
      return notes.columns ?? 80;
    },
    outHasColor: hasColor(out),
    notesHaveColor: hasColor(notes),
    onInterrupt(listener) {
      const signals: readonly Interrupt[] = ['SIGINT', 'SIGTERM'];
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
  };
}
