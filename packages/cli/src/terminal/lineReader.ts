import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { renderText, type Styled } from './paint.ts';

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
 * @param screen - shows a prompt and what is typed; absent where nobody types. Its output is standard error unless given
 */
export function lineReader(
  input: Readable,
  screen?: { readonly prompt: Styled; readonly hasColor: boolean; readonly output?: Writable },
): LineReader {
  const output = screen?.output ?? process.stderr;
  const lines = createInterface({
    input,
    terminal: screen !== undefined,
    ...(screen && { output, prompt: renderText(screen.prompt, { hasColor: screen.hasColor, isInteractive: true }) }),
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
      if (screen !== undefined) output.write('\n');
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
