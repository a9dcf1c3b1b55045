import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Results } from './runPlan.ts';

/** What a file of results holds, and what is added to it run by run. */
export interface ResultsFile {
  /** As of the last reading or change. */
  readonly results: Results;
  /** Changes what the file holds by now: runs and times may be made side by side. */
  change(change: (results: Results) => Partial<Results>): void;
}

/** @param file - its path; one that is not there holds nothing yet */
export function openResults(file: string): ResultsFile {
  let results = read(file);
  return {
    get results() {
      return results;
    },
    change(change) {
      const old = read(file);
      results = { ...old, ...change(old) };
      writeFileSync(`${file}.tmp`, written(results));
      renameSync(`${file}.tmp`, file);
    },
  };
}

function read(file: string): Results {
  const nothing = { head: { command: '', date: '', commit: '', cpu: '' }, runs: {}, stepTimes: {}, repeats: {} };
  return existsSync(file) ? { ...nothing, ...(JSON.parse(readFileSync(file, 'utf8')) as Results) } : nothing;
}

/** A line for each run. */
function written({ head, timed, ...records }: Results): string {
  const lines = Object.entries(records).map(([name, entries]) => {
    const own = Object.entries(entries).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
    return ` ${JSON.stringify(name)}: {\n${own.join(',\n')}\n }`;
  });
  const heads = Object.entries({ head, timed }).flatMap(([name, value]) =>
    value === undefined ? [] : [` ${JSON.stringify(name)}: ${JSON.stringify(value)}`],
  );
  return `{\n${[...heads, ...lines].join(',\n')}\n}\n`;
}
