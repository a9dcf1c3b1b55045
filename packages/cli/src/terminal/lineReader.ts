import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** Reads lines, from a screen with a prompt in front of each. */
export interface LineReader {
  /** The next line; undefined at the end of the input. */
  read(): Promise<string | undefined>;
  /** Hears of Ctrl-C, which a screen gives to whoever reads from it. @returns what ends the calls */
  onInterrupt(listener: () => void): () => void;
  close(): void;
}

/**
 * Reads lines of a stream. Those that come before they are asked for wait.
 *
 * @param screen - where a prompt and what is typed are shown; absent where nobody types
 */
export function lineReader(
  input: Readable,
  screen?: { readonly output: Writable; readonly prompt: string },
): LineReader {
  const lines = createInterface({
    input,
    terminal: screen !== undefined,
    ...(screen && { output: screen.output, prompt: screen.prompt }),
  });
  const waiting: string[] = [];
  const listeners = new Set<() => void>();
  let isOver = false;
  let isAsking = false;
  let wake = (): void => undefined;
  lines.on('line', line => {
    waiting.push(line);
    wake();
  });
  lines.on('close', () => {
    isOver = true;
    wake();
  });
  lines.on('SIGINT', () => {
    if (isAsking) {
      // As in a shell: what was typed is gone, and the prompt comes anew.
      lines.write(null, { ctrl: true, name: 'u' });
      screen?.output.write('\n');
    }
    for (const listener of listeners) listener();
    if (isAsking && !isOver) lines.prompt();
  });
  return {
    async read() {
      if (waiting.length === 0 && !isOver) {
        isAsking = true;
        if (screen !== undefined) lines.prompt();
        await new Promise<void>(resolve => (wake = resolve));
        isAsking = false;
      }
      return waiting.shift();
    },
    onInterrupt(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: () => lines.close(),
  };
}
