import { readFileSync } from 'node:fs';

/** One file of bench/results. What else it holds, the script that wrote it says. */
export function readResults(name: string): unknown {
  const file = new URL(`../results/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as unknown;
}

/** What every file of results says of itself. */
export interface Written {
  readonly command: string;
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
}

/** The command that wrote it, when and where. */
export function writtenBy({ command, date, commit, cpu }: Written): string {
  return `\`${command}\` (${date.slice(0, 10)}, commit ${commit}, ${cpu})`;
}
