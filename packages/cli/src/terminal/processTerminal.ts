import { format } from 'node:util';
import { terminal, type Terminal } from './terminal.ts';

/**
 * The terminal of this process. Everything that the process prints goes through it: libraries that use `console` write notes.
 * Where the reader of standard output has gone (`dropbp inspect … | head`), the process ends.
 */
export function processTerminal(): Terminal {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  const own = terminal(process.stdout, process.stderr, process.env);
  for (const method of ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const) {
    console[method] = (...values: unknown[]) => own.notes(`${format(...values)}\n`);
  }
  return own;
}
