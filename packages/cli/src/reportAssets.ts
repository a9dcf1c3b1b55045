import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What a report carries inside itself. */
export interface ReportAssets {
  readonly style: string;
  readonly script: string;
  readonly chartStyle: string;
  readonly chartScript: string;
  /** The chart library's licence, which has to go with it. */
  readonly chartLicence: string;
}

/** Reads the page's own style and script, and the chart library's from where it is installed. */
export function readReportAssets(): ReportAssets {
  // The same path from src/ and from dist/.
  const own = (name: string): string => readFileSync(new URL(`../assets/${name}`, import.meta.url), 'utf8');
  const uPlot = dirname(createRequire(import.meta.url).resolve('uplot/package.json'));
  const chart = (name: string): string => readFileSync(join(uPlot, name), 'utf8').trim();
  return {
    style: own('report.css'),
    script: own('report.js'),
    chartStyle: chart('dist/uPlot.min.css'),
    chartScript: chart('dist/uPlot.iife.min.js'),
    chartLicence: chart('LICENSE'),
  };
}
