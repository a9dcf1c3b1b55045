import { round } from '../median.ts';
import type { Results, RunResult } from './runPlan.ts';
import { bestOfEachCase, finalLoss, mean } from './tables.ts';
import { worthRows } from './worth.ts';

/** A case of a task with prompts: at its best learning rate, means over the seeds. */
export interface PromptRow {
  readonly case: string;
  readonly learningRate: number;
  readonly steps: number;
  readonly seeds: number;
  readonly loss: number;
  /** Largest less smallest loss of the seeds. */
  readonly spread: number;
  /** Share of held-out questions that were answered right; NaN where none are asked. */
  readonly right: number;
  /** ρ² of each decision, the smallest over the seeds first; '' where none was measured. */
  readonly similarity: string;
  /** Share of the seeds whose last decision drops prompts; NaN where none was made. */
  readonly accepted: number;
  /** r: NaN where it is not known, as for whole steps. */
  readonly worth: number;
  /** s in FLOPs. */
  readonly speedUpFlops: number;
  /** s in time: NaN where step times were not measured. */
  readonly speedUp: number;
}

/** A row for each case, in the order in which they were run. */
export function promptRows(results: Results): PromptRow[] {
  const worth = new Map(worthRows(results).map(row => [row.case, row]));
  return [...bestOfEachCase(results)].map(([name, runs]) => {
    const losses = runs.map(finalLoss);
    const known = worth.get(name);
    return {
      case: name,
      learningRate: runs[0]!.plan.learningRate,
      steps: runs[0]!.plan.steps,
      seeds: runs.length,
      loss: round(mean(losses)),
      spread: round(Math.max(...losses) - Math.min(...losses)),
      right: round(mean(runs.map(({ rightAnswers }) => rightAnswers?.[1] ?? NaN))),
      similarity: similarityOf(runs),
      accepted: round(mean(runs.map(run => lastDecision(run)))),
      worth: round(known?.worth ?? NaN),
      speedUpFlops: round(known?.speedUpFlops ?? NaN),
      speedUp: round(known?.speedUp ?? NaN),
    };
  });
}

function similarityOf(runs: readonly RunResult[]): string {
  const squares = runs.flatMap(({ promptDecisions = [] }) => promptDecisions.map(({ similarity }) => similarity ** 2));
  if (squares.length === 0) return '';
  return `${Math.min(...squares).toFixed(2)} to ${Math.max(...squares).toFixed(2)}`;
}

function lastDecision({ promptDecisions }: RunResult): number {
  const last = promptDecisions?.at(-1);
  return last === undefined ? NaN : Number(last.dropsPrompts);
}
