import { writeSync } from 'node:fs';

/** Writes a line to stderr before it comes back: the process may have no turn left. */
export function say(text: string): void {
  try {
    writeSync(2, `[@dropbp/mpi] ${text}\n`);
  } catch {
    // Nobody reads it any more, which must not keep the ranks from ending.
  }
}
