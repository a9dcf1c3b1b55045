import { closeSync, fsyncSync, openSync } from 'node:fs';
import { escapeControls, problem, readTextIfThere, writeAtomically } from '@dropbp/basics';
import { writeAll } from './writeAll.ts';
import type { RunEvent } from './runEvent.ts';
import type { RunObserver } from './runObserver.ts';

/**
 * Opens the log of a run for what is to come. What it holds of later steps than `until` is taken away: they will come again.
 *
 * @param until - the step that the run goes on from; 0 for a new one
 * @returns what has happened so far, and who writes what happens now, each line at once
 */
export async function openRunLog(
  path: string,
  until: number,
): Promise<{ readonly past: readonly RunEvent[]; readonly log: RunObserver }> {
  const past = until === 0 ? [] : (await readRunLog(path)).filter(({ step }) => step <= until);
  await writeAtomically('cli', path, past.map(line).join(''));
  const file = openSync(path, 'a');
  const log: RunObserver = {
    observe: event => writeAll(file, line(event)),
    flush: () => fsyncSync(file),
    close: () => closeSync(file),
  };
  return { past, log };
}

/** Two million steps. */
const MOST_LOG_BYTES = 2 ** 29 - 24;

/**
 * Reads the log of a run. A last line that a crash has cut off is left out.
 *
 * @throws Problem naming the line that is no event; what is missing altogether is an empty log
 */
export async function readRunLog(path: string): Promise<RunEvent[]> {
  const text = await readTextIfThere('cli', path, MOST_LOG_BYTES);
  if (text === undefined) return [];
  const lines = text.split('\n');
  lines.pop(); // what follows the last line break: nothing, or half a line
  return lines.map((line, i) => {
    try {
      const event: unknown = JSON.parse(line);
      if (isEvent(event)) return event;
    } catch {
      // as below
    }
    throw problem('cli', { what: `${path}:${i + 1} is no event of a run`, got: line.slice(0, 60) });
  });
}

function line(event: RunEvent): string {
  return `${escapeControls(JSON.stringify(event))}\n`;
}

function isEvent(value: unknown): value is RunEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { type, step, loss, text } = value as Record<string, unknown>;
  if (typeof step !== 'number') return false;
  if (type === 'sample') return typeof text === 'string';
  return (type === 'step' || type === 'heldOut') && typeof loss === 'number';
}
