import { commands } from '../src/commands.ts';
import { runCommandLine } from '../src/flags/runCommandLine.ts';
import { renderText, type Styled } from '../src/terminal/paint.ts';
import type { Interrupt } from '../src/terminal/terminal.ts';
import { fakeTerminal, type FakeTerminal } from './fakeTerminal.ts';

/** What a run of the command came to. */
type Ran = FakeTerminal['written'] & {
  readonly code: number;
  /** Whether it still hears of Ctrl-C. */
  readonly isListening: boolean;
};

/** Runs the command; Ctrl-C comes when the notes hold a text, or for `''` as soon as it is heard. */
export async function runDropbp(args: string[], interruptAt?: string): Promise<Ran> {
  let listener: ((signal: Interrupt) => void) | undefined;
  const terminal = fakeTerminal({
    onInterrupt(given) {
      listener = given;
      if (interruptAt === '') given('SIGINT');
      return () => (listener = undefined);
    },
  });
  const notes = (text: Styled): void => {
    terminal.notes(text);
    if (interruptAt && renderText(text).includes(interruptAt)) listener?.('SIGINT');
  };
  const code = await runCommandLine({ commands, version: '0.0.0', args, terminal: { ...terminal, notes } });
  return { code, ...terminal.written, isListening: listener !== undefined };
}
