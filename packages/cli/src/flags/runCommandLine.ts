import { nearNames, Problem, problem } from '@dropbp/basics';
import { ownCommand } from '../terminal/ownCommand.ts';
import { clearLine, paint, styled, type Styled } from '../terminal/paint.ts';
import type { Terminal, ExitCode } from '../terminal/terminal.ts';
import type { Command } from './command.ts';
import { helpText, readableWidth, wrap } from './helpText.ts';
import type { Flags } from './flag.ts';
import { completeFlags, parseFlags } from './parseFlags.ts';
import { plainMessage } from './plainMessage.ts';

/** What {@link runCommandLine} takes. */
export interface CommandLineOptions {
  readonly commands: readonly Command[];
  readonly version: string;
  /** Without the program's name: `process.argv.slice(2)`. */
  readonly args: readonly string[];
  readonly terminal: Terminal;
}

/** Runs the command that a command line names, and prints what goes wrong as one message. Never throws. */
export async function runCommandLine(options: CommandLineOptions): Promise<ExitCode> {
  const { commands, version, args, terminal } = options;
  const [name, ...rest] = args;
  const { columns } = terminal;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const about = commands.find(command => command.name === rest[0]);
    (name === undefined ? terminal.notes : terminal.out)(
      about ? helpText(about, columns) : overview(commands, columns),
    );
    return name === undefined ? 2 : 0;
  }
  if (name === '--version' || name === '-v') {
    terminal.out(`${version}\n`);
    return 0;
  }
  const command = commands.find(candidate => candidate.name === name);
  if (command === undefined) return reportError(unknownCommand(name, commands), 'dropbp', terminal);

  const subject = `dropbp ${name}`;
  const named = { ...command.speaksOf, ...command.flags };
  let line: { flags: Record<string, unknown>; positionals: readonly string[] };
  try {
    if (asksForHelp(rest)) {
      terminal.out(helpText(command, columns));
      return 0;
    }
    const { values, positionals } = parseFlags(subject, command.flags, rest);
    checkPositionals(command, positionals);
    const layers = (await command.layers?.(values, terminal)) ?? [];
    line = { flags: completeFlags(command.flags, values, ...layers), positionals };
  } catch (error) {
    return reportError(error, subject, terminal, named);
  }
  try {
    return (await command.run(line.flags, line.positionals, terminal)) ?? 0;
  } catch (error) {
    return reportError(error, subject, terminal, named);
  }
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).some(arg => arg === '--help' || arg === '-h');
}

function checkPositionals({ name, positional }: Command, given: readonly string[]): void {
  const limit = positional === undefined ? 0 : positional.isRepeatable === true ? Infinity : (positional.count ?? 1);
  if (given.length > limit) {
    throw problem('cli', {
      what: `'${given[limit]!}' is one argument too many`,
      fix: `see ${ownCommand(`${name} --help`)}`,
    });
  }
  if (positional !== undefined && positional.isOptional !== true && given.length < (positional.count ?? 1)) {
    throw problem('cli', { what: `${positional.placeholder} is missing`, expected: positional.help });
  }
}

function unknownCommand(name: string, commands: readonly Command[]): Error {
  const names = commands.map(command => command.name);
  const near = nearNames(name, names);
  return problem('cli', {
    what: `there is no command '${name}'`,
    expected: names.join(', '),
    fix: near.length > 0 ? `did you mean ${near.join(' or ')}?` : `see ${ownCommand('--help')}`,
  });
}

function overview(commands: readonly Command[], columns: number): Styled {
  const width = Math.max(...commands.map(command => command.name.length));
  const indent = ' '.repeat(width + 4);
  const lines: Styled[] = [
    'Fine-tunes language models with adapters and DropBP.',
    '',
    styled`${paint('bold', 'Usage')}  ${ownCommand('<command> [flags]')}`,
    '',
    ...commands.map(({ name, summary }) => {
      const lines = wrap(summary, readableWidth(columns) - indent.length);
      return `  ${name.padEnd(width)}  ${lines.join(`\n${indent}`)}`;
    }),
    '',
    `'${ownCommand('<command> --help')}' explains the flags of a command, with an example.`,
  ];
  return lines.flatMap(line => [line, '\n']);
}

/** Prints one message for what a user can mend; the stack as well where it is a fault of the program. @returns the exit status */
export function reportError(error: unknown, subject: string, terminal: Terminal, flags: Flags = {}): ExitCode {
  // A line about what was going on may stand there.
  const head = styled`${clearLine}${paint('red', `${subject}:`)} `;
  if (error instanceof Problem) {
    terminal.notes(styled`${head}${plainMessage(error, flags)}\n`);
    return error.isFailure ? 1 : 2;
  }
  // Errors of the operating system carry a code and a message that names the path.
  if (error instanceof Error && 'code' in error && 'syscall' in error) {
    terminal.notes(styled`${head}${error.message}\n`);
    return 1;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  terminal.notes([head, 'this is a fault of dropbp, please report it:\n', text, '\n']);
  return 70;
}
