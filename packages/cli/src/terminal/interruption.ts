import type { ExitCode, Terminal } from './terminal.ts';
import { clearLine, paint, styled } from './paint.ts';

/** Ctrl-C and the like while something is under way that shall come to a good end. */
export interface Interruption {
  /** Aborted by the first. */
  readonly signal: AbortSignal;
  /** The exit status that it makes; undefined where there was none. */
  exitCode(): ExitCode | undefined;
  /** From now on they end the program as usual. */
  release(): void;
}

/**
 * Listens for Ctrl-C: the first asks for a good end, the second ends the program at once.
 *
 * @param note - what the first makes known; undefined where it would stand in the middle of a text
 */
export function listenForInterruption(
  terminal: Terminal,
  note: string | undefined,
  exit: (code: number) => never = code => process.exit(code),
): Interruption {
  const controller = new AbortController();
  let code: 130 | 143 | undefined;
  const release = terminal.onInterrupt(signal => {
    if (code !== undefined) return exit(code);
    code = signal === 'SIGINT' ? 130 : 143;
    if (note !== undefined) terminal.notes(styled`${clearLine}${paint('yellow', note)}\n`);
    controller.abort();
  });
  return { signal: controller.signal, exitCode: () => code, release };
}
