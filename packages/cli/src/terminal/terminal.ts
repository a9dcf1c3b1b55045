import type { Readable } from 'node:stream';
import { escapeControls } from '@dropbp/basics';
import { wrapNotes } from './wrapWords.ts';
import { colored, renderText, type Look, type Styled } from './paint.ts';

/**
 * 0: done. 1: failed on the way, such as on a full disk. 2: what was asked for has to be mended: flags, files, data. 70: a fault
 * of the program. 130 and 143: stopped by Ctrl-C and by SIGTERM.
 */
export type ExitCode = 0 | 1 | 2 | 70 | 130 | 143;

/**
 * Where a command writes: the only way to a screen. Results go to `out`, everything about their making to `notes`. Control
 * characters in strings are escaped, whatever file they come from; looks are added after that.
 */
export interface Terminal {
  /** Writes to standard output. */
  readonly out: (text: Styled) => void;
  /**
   * Writes a piece of a model's text to standard output: escaped on a screen, unchanged into a file or a pipe. A character may
   * begin in one piece and end in the next.
   */
  readonly outText: (piece: string, look?: Look) => void;
  /** Standard input. @defaultValue the process's */
  readonly input?: Readable;
  /** Writes to standard error. */
  readonly notes: (text: Styled) => void;
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
  const isInteractive = notes.isTTY === true && !isDumb;
  const [outHasColor, notesHaveColor] = [hasColor(out), hasColor(notes)];
  const outMedium = { hasColor: outHasColor, isInteractive: false };
  let held = ''; // the end of a model's text that the next piece may change
  const writeText = (text: string, look?: Look): void => {
    if (text === '') return;
    const shown = out.isTTY === true ? escapeControls(text.replaceAll('\r\n', '\n')) : text;
    out.write(look === undefined || !outHasColor ? shown : colored(look, shown));
  };
  const endText = (): void => {
    writeText(held);
    held = '';
  };
  return {
    out(text) {
      endText();
      out.write(renderText(text, { ...outMedium, columns: out.isTTY === true ? out.columns : undefined }));
    },
    outText(piece, look) {
      const text = held + piece;
      held = /[\r\uD800-\uDBFF]$/.exec(text)?.[0] ?? '';
      writeText(text.slice(0, text.length - held.length), look);
    },
    notes(text) {
      endText();
      const written = renderText(text, { hasColor: notesHaveColor, isInteractive });
      notes.write(notes.isTTY === true ? wrapNotes(written, notes.columns ?? 80) : written);
    },
    isInteractive,
    get columns() {
      return notes.columns ?? 80;
    },
    outHasColor,
    notesHaveColor,
    onInterrupt(listener) {
      const signals: readonly Interrupt[] = ['SIGINT', 'SIGTERM'];
      for (const signal of signals) process.on(signal, listener);
      return () => {
        for (const signal of signals) process.off(signal, listener);
      };
    },
  };
}
