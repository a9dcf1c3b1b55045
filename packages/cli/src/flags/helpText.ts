import wrapAnsi from 'wrap-ansi';
import { ownCommand } from '../terminal/ownCommand.ts';
import { paint, styled, type Styled } from '../terminal/paint.ts';
import type { Command } from './command.ts';
import type { Flag } from './flag.ts';
import { flagName } from './flagName.ts';

/** What `dropbp <command> --help` prints. */
export function helpText(command: Command, screenColumns: number): Styled {
  const { positional, flags, sections = {}, examples } = command;
  const dots = positional?.isRepeatable === true ? '…' : '';
  const usage = [ownCommand(command.name), ...(positional ? [positional.placeholder + dots] : []), '[flags]'].join(' ');
  const rows: (readonly [string, string] | string)[] = [];
  if (positional) rows.push([positional.placeholder, positional.help]);
  for (const [key, flag] of Object.entries(flags)) {
    const title = sections[key];
    if (title !== undefined) rows.push(title);
    rows.push([
      [flagName(key), ...(flag.placeholder === undefined ? [] : [flag.placeholder])].join(' '),
      describe(flag),
    ]);
  }
  const columns = readableWidth(screenColumns);
  const longest = Math.max(...rows.map(row => (typeof row === 'string' ? 0 : row[0].length)));
  // On a narrow screen what a flag does stands below it.
  const left = columns < NARROW ? 4 : Math.min(34, longest);
  const width = columns - left - 4;
  const lines = rows.flatMap((row): Styled[] =>
    typeof row === 'string' ? ['', paint('bold', row)] : entry(row[0], wrap(row[1], width), left),
  );
  const page: Styled[] = [
    ...wrap(command.summary, columns),
    '',
    styled`${paint('bold', 'Usage')}  ${usage}`,
    ...(typeof rows[0] === 'string' ? [] : ['']),
    ...lines,
    '',
    paint('bold', examples.length > 1 ? 'Examples' : 'Example'),
    ...examples.map(example => `  ${ownCommand(example.replace(/^dropbp /, ''))}`),
  ];
  return page.flatMap(line => [line, '\n']);
}

/** Columns below which two columns of text do not fit beside each other. */
const NARROW = 60;

/** Lines that are too long are as hard to read as those that are too short. */
export function readableWidth(columns: number): number {
  return Math.min(100, Math.max(30, columns));
}

function describe(flag: Flag<unknown>): string {
  if (flag.isRequired === true) return `${flag.help} (required)`;
  const aliases = flag.aliases?.map(flagName).join(', ');
  const help = aliases === undefined ? flag.help : `${flag.help}; also ${aliases}`;
  const fallback = flag.defaultText ?? flag.fallback;
  const isShown = typeof fallback === 'string' || typeof fallback === 'number';
  return isShown ? `${help} [${fallback}]` : help;
}

function entry(name: string, text: readonly string[], left: number): string[] {
  const fits = name.length <= left;
  const first = `  ${name.padEnd(left)}  ${fits ? (text[0] ?? '') : ''}`.trimEnd();
  return [first, ...text.slice(fits ? 1 : 0).map(line => ' '.repeat(left + 4) + line)];
}

/** A text in lines of at most so many columns. */
export function wrap(text: string, width: number): string[] {
  return wrapAnsi(text, width).split('\n');
}
