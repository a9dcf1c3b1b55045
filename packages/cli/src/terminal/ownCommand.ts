import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { shellWord } from './shellWord.ts';

/** How a process was started. */
export interface Start {
  /** The file that Node runs. */
  readonly script: string;
  /** Where the user is. */
  readonly directory: string;
  /** Where a shell looks for commands. */
  readonly path: string;
}

let own: string | undefined;

/** A line that a user can type to run this command again: `'npx dropbp train --resume'` for `'train --resume'`. */
export function ownCommand(rest: string): string {
  own ??= commandFor({ script: process.argv[1] ?? '', directory: process.cwd(), path: process.env.PATH ?? '' });
  return `${own} ${rest}`;
}

/** What starts this command where the user is: `dropbp` only where a shell finds it. */
export function commandFor({ script, directory, path }: Start): string {
  const file = realPath(script);
  // A program of someone else that uses the package.
  if (!/^(dropbp|bin)\.[jt]s$/.test(basename(file))) return 'dropbp';
  // npm and pnpm add folders of projects to what they start. The user's shell does not have these.
  const folders = path.split(delimiter).filter(folder => folder !== '' && !/[\\/]node_modules[\\/]/.test(folder));
  if (folders.some(folder => leadsTo(join(folder, 'dropbp'), file))) return 'dropbp';
  if (isInProject(directory, file)) return 'npx dropbp';
  // A package that was fetched to run once.
  const fetched = /[\\/]@dropbp[\\/]cli[\\/]/.test(file) ? '@dropbp/cli' : 'dropbp';
  if (/[\\/]_npx[\\/]/.test(file)) return `npx ${fetched}`;
  if (/[\\/]dlx-?[^\\/]*[\\/]/.test(file)) return `pnpm dlx ${fetched}`;
  const near = relative(directory, script);
  const shown = shellWord(near === '' || near.startsWith('..') ? script : near);
  return `${file.endsWith('.ts') ? 'npx tsx' : 'node'} ${shown}`;
}

/** Whether npx finds the file from a folder: in the nearest project above it. */
function isInProject(directory: string, file: string): boolean {
  if (leadsTo(join(directory, 'node_modules/.bin/dropbp'), file)) return true;
  const above = dirname(directory);
  const isProject = ['package.json', 'node_modules'].some(name => existsSync(join(directory, name)));
  return !isProject && above !== directory && isInProject(above, file);
}

/** Whether a command is a link to the file, or one of the small scripts that pnpm, and npm on Windows, write in place of links. */
function leadsTo(command: string, file: string): boolean {
  if (!existsSync(command)) return false;
  const target = realPath(command);
  if (target === file) return true;
  if (target.endsWith('.js')) return false;
  const named = /"\$basedir[\\/]([^"]*dropbp\.js)"/.exec(readFileSync(target, 'latin1'))?.[1];
  return named !== undefined && realPath(join(dirname(target), named)) === file;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
