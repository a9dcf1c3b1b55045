import { markdownTable } from './markdown.ts';
import { readResults, writtenBy, type Written } from './readResults.ts';

type Row = Readonly<Record<string, string | number>>;
type Faults = Written & Readonly<Record<'turns' | 'crashes' | 'stops', readonly Row[]>> & { readonly failures: number };

/** What came of calls that failed, machines that crashed, and processes that were stopped. */
export function faults(): string {
  const results = readResults('faults') as Faults;
  const turns = markdownTable(results.turns, {
    'calls that fail': row => row.scenario,
    'calls of a run': row => row.calls,
    'faults tried': row => row.faults,
    'the command succeeded': row => row.succeeded,
    'it said what failed': row => row.refused,
  });
  const crashes = markdownTable(results.crashes, {
    'crashes of the machine': row => row.scenario,
    moments: row => row.points,
    'states of the disk': row => row.states,
    'states tried': row => row.tried,
  });
  const stops = markdownTable(results.stops, {
    'stopped processes': row => row.scenario,
    stops: row => row.stops,
    'others kept out': row => row.keptOut,
    'others that took over': row => row.tookOver,
  });
  return `${turns}\n\n${crashes}\n\n${stops}\n\nFailures: ${results.failures}. ${writtenBy(results)}`;
}
