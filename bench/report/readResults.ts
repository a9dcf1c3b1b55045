import { existsSync, readFileSync } from 'node:fs';

/** One file of bench/results. What else it holds, the script that wrote it says. */
export function readResults(name: string): unknown {
  const file = new URL(`../results/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as unknown;
}

/** Whether there is such a file: some benchmarks have not run yet. */
export function hasResults(name: string): boolean {
  return existsSync(new URL(`../results/${name}.json`, import.meta.url));
}

/** When, on which code and on which processor something was measured. */
export interface Where {
  readonly date: string;
  readonly commit: string;
  readonly cpu: string;
}

/** What every file of results says of itself. */
export interface Written extends Where {
  readonly command: string;
}

/** The command that wrote it, when and where. */
export function writtenBy({ command, ...where }: Written): string {
  return `\`${command}\` (${shownWhere(where)})`;
}

/** In a few words. */
export function shownWhere({ date, commit, cpu }: Where): string {
  return `${date.slice(0, 10)}, commit ${commit}, ${cpu}`;
}
