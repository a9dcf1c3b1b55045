import type { ExitCode } from '../flags/command.ts';
import { paint } from './paint.ts';
import type { Terminal } from './terminal.ts';

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
 * @param note - what the first makes known
 */
export function listenForInterruption(
  terminal: Terminal,
  note: string,
  exit: (code: number) => never = code => process.exit(code),
): Interruption {
  const controller = new AbortController();
  let code: 130 | 143 | undefined;
  const release = terminal.onInterrupt(signal => {
    if (code !== undefined) return exit(code);
    code = signal === 'SIGINT' ? 130 : 143;
    terminal.notes(`${terminal.isInteractive ? '\r\u001B[2K' : ''}${paint('yellow', note, terminal.notesHaveColor)}\n`);
    controller.abort();
  });
  return { signal: controller.signal, exitCode: () => code, release };
}
