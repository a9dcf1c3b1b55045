import { Problem } from '@dropbp/basics';
import type { Mutate } from './mutate/draw.ts';

/** Something that reads files of users, to be given damaged ones. */
export interface FuzzTarget {
  readonly name: string;
  /** Good inputs, which are damaged in all ways. */
  readonly inputs: readonly Uint8Array[];
  /** Pieces that mean something in such inputs, so that damage reaches further than the first check. */
  readonly pieces: readonly (string | Uint8Array)[];
  /** Changes an input by its structure. Two of three inputs come from here. */
  readonly mutate?: Mutate;
  /** How many of a run's inputs it gets, against 1 of the others. @defaultValue 1 */
  readonly share?: number;
  /** What is allowed for an empty input, where it is more than usual: a process that starts, say. @defaultValue 1500 */
  readonly timeMs?: number;
  /** Reads an input to its end. It may refuse it with a Problem; all else that is thrown is a failure. */
  run(input: Uint8Array): Promise<void>;
}

/** What one input led to. */
export type Outcome = 'accepted' | 'refused';

/** Runs a target. @throws what the target threw, if it is not a Problem */
export async function outcomeOf(target: FuzzTarget, input: Uint8Array): Promise<Outcome> {
  try {
    await target.run(input);
    return 'accepted';
  } catch (error) {
    if (error instanceof Problem && error.message.startsWith('[@dropbp/')) return 'refused';
    throw error;
  }
}

/** What an input cost, and what was wrong about it. */
export interface Verdict {
  readonly outcome: Outcome | 'fault';
  /** The error with its stack, or which budget was passed. */
  readonly fault?: string;
  readonly cpuMs: number;
  /** How much the peak of the process grew. */
  readonly grownBytes: number;
}

/** CPU time for an input of so many bytes. */
export const timeBudgetMs = ({ timeMs = 1_500 }: FuzzTarget, bytes: number): number => timeMs + 0.02 * bytes;
/** Growth of the process's peak memory for an input of so many bytes. */
export const memoryBudgetBytes = (bytes: number): number => 320 * 2 ** 20 + 400 * bytes;

/** Runs a target within its budgets of CPU time and memory. What takes too long is given a second time before it counts. */
export async function judge(target: FuzzTarget, input: Uint8Array): Promise<Verdict> {
  const first = await measure(target, input);
  const budgetMs = timeBudgetMs(target, input.length);
  if (first.outcome === 'fault') return first;
  if (first.grownBytes > memoryBudgetBytes(input.length)) {
    return { ...first, outcome: 'fault', fault: `memory: ${Math.round(first.grownBytes / 2 ** 20)} MiB for ${input.length} bytes` }; // prettier-ignore
  }
  if (first.cpuMs <= budgetMs) return first;
  const second = await measure(target, input);
  if (second.cpuMs <= budgetMs) return { ...first, cpuMs: second.cpuMs };
  return { ...second, outcome: 'fault', fault: `time: ${Math.round(second.cpuMs)} ms for ${input.length} bytes` };
}

async function measure(target: FuzzTarget, input: Uint8Array): Promise<Verdict> {
  const started = process.cpuUsage();
  const peak = process.resourceUsage().maxRSS;
  let result: Pick<Verdict, 'outcome' | 'fault'>;
  try {
    result = { outcome: await outcomeOf(target, input) };
  } catch (error) {
    result = { outcome: 'fault', fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const { user, system } = process.cpuUsage(started);
  return {
    ...result,
    cpuMs: (user + system) / 1000,
    grownBytes: (process.resourceUsage().maxRSS - peak) * 1024,
  };
}

/** What makes two faults the same: the kind of error, its words without numbers and quotes, and where in our code it arose. */
export function signatureOf(fault: string): string {
  const [head = '', ...lines] = fault.split('\n');
  const frames = lines.filter(line => /^\s+at /.test(line));
  const own = frames.find(line => line.includes('/packages/')) ?? frames[0] ?? '';
  const place = /(?:at (?:async )?([\w.<>]+) \()?.*?([\w.-]+\.[mc]?[jt]s):\d+/.exec(own);
  const words = head
    .replaceAll(/'[^']*'|"[^"]*"/g, '…')
    .replaceAll(/\d+/g, '0')
    .slice(0, 90);
  return place === null ? words : `${words} @ ${place[2]}${place[1] === undefined ? '' : ` ${place[1]}`}`;
}
