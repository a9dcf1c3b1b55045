import { commands } from './commands.ts';
import { reportError, runCommandLine } from './flags/runCommandLine.ts';
import { ownVersion } from './record/versions.ts';
import { processTerminal } from './terminal/processTerminal.ts';

const terminal = processTerminal();
process.on('uncaughtException', error => process.exit(reportError(error, 'dropbp', terminal)));

process.exitCode = await runCommandLine({
  commands,
  version: ownVersion(),
  args: process.argv.slice(2),
  terminal,
});
