import { commands } from './commands.ts';
import { runCommandLine } from './flags/runCommandLine.ts';
import { ownVersion } from './run/versions.ts';
import { terminal } from './terminal/terminal.ts';

// A reader that has seen enough (`dropbp inspect … | head`) closes the pipe: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

process.exitCode = await runCommandLine({
  commands,
  version: ownVersion(),
  args: process.argv.slice(2),
  terminal: terminal(process.stdout, process.stderr, process.env),
});
