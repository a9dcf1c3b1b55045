import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commands } from '../../../packages/cli/src/commands.ts';
import { runCommandLine } from '../../../packages/cli/src/flags/runCommandLine.ts';
import { fakeTerminal } from '../../../packages/cli/test/fakeTerminal.ts';
import { renderText, type Styled } from '../../../packages/cli/src/terminal/paint.ts';
import type { Interrupt } from '../../../packages/cli/src/terminal/terminal.ts';

/** How a command ended. */
export interface Ending {
  readonly code: number;
  readonly notes: string;
}

/** Runs a command in this process. @param interruptAt - Ctrl-C comes when the notes hold this text */
export async function dropbp(args: readonly string[], interruptAt?: string): Promise<Ending> {
  let listener: ((signal: Interrupt) => void) | undefined;
  const terminal = fakeTerminal({
    onInterrupt(given) {
      listener = given;
      return () => (listener = undefined);
    },
  });
  const notes = (text: Styled): void => {
    terminal.notes(text);
    if (interruptAt !== undefined && renderText(text).includes(interruptAt)) listener?.('SIGINT');
  };
  const code = await runCommandLine({ commands, version: '0.0.0', args, terminal: { ...terminal, notes } });
  return { code, notes: terminal.written.notes };
}

/** What is wrong with how a command ended: it must succeed, or say in one message what happened. */
export function faultOfEnding({ code, notes }: Ending): string | undefined {
  if (/\n\s+at .*:\d+:\d+/.test(notes)) return `it ended in a stack: ${notes}`;
  if (code === 0 || ((code === 1 || code === 2) && /dropbp \w+: ./.test(notes))) return undefined;
  return `exit status ${code}, and no message: ${notes}`;
}

/** The flags of all runs: a checkpoint after each step, evaluations, samples, and the best step kept. */
export function trainFlags(model: string, data: string): string[] {
  return [
    ...['--model', model, '--data', data, '--steps', '3', '--time', '8', '--batch', '1', '--sample-tokens', '1'],
    ...[
      '--save-every',
      '1',
      '--evaluations',
      '2',
      '--keep-checkpoints',
      '1',
      '--learning-rate',
      '0.02',
      '--rate',
      '0.5',
    ],
    ...['--dropout', '0.1', '--schedule', 'constant', '--backend', 'ort'],
  ];
}

/**
 * Gives the locks below a folder to a process that has ended: the commands run in this process, which goes on living.
 *
 * @returns how many there were
 */
export function orphanLocks(folder: string): number {
  if (!existsSync(folder)) return 0;
  const gone = spawnSync('true').pid;
  const locks = filesBelow(folder).filter(path => /\.lock(\.clearing)?$/.test(path));
  for (const path of locks) {
    const text = readFileSync(path, 'utf8');
    if (text !== '') writeFileSync(path, text.replace(/"pid":\d+/, `"pid":${gone}`));
    // A lock without content counts as given back after a minute.
    const then = new Date(Date.now() - 120_000);
    utimesSync(path, then, then);
  }
  return locks.length;
}

/** All files below a folder, by their full paths. */
export function filesBelow(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .map(name => join(folder, name))
    .filter(path => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
