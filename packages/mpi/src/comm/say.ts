import { writeSync } from 'node:fs';
import { escapeControls } from '@dropbp/basics';

/** Writes a line to stderr, control characters escaped, before it comes back: the process may have no turn left. */
export function say(text: string): void {
  try {
    writeSync(2, `[@dropbp/mpi] ${escapeControls(text)}\n`);
  } catch {
    // Nobody reads it any more, which must not keep the ranks from ending.
  }
}
