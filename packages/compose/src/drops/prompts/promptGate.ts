import { checkOptions, isObject, notFinite, problem } from '@dropbp/basics';
import type { GradientProducts } from './compareGradients.ts';

/** What was found out about dropped prompts, and what follows from it. */
export interface PromptDecision {
  /** The first pass of the run that follows it, counted from 0. */
  readonly pass: number;
  /** ρ, the cosine of the whole gradient and the one without prompts, in the optimizer's metric. */
  readonly similarity: number;
  /** Share of a whole step's FLOPs that dropped prompts save. */
  readonly saved: number;
  /** Whether prompts are dropped: ρ² is above 1 − saved. */
  readonly dropsPrompts: boolean;
  /** False where the model or the loss cannot divide texts: nothing was measured, and the run keeps its prompts. Absent elsewhere. */
  readonly isPossible?: false;
  /**
   * True for a first decision that another one follows after a tenth of the run. Until then no prompts are dropped: moments of
   * gradients without prompts would make the metric of the second measurement. Absent elsewhere.
   */
  readonly isPreliminary?: true;
}

/** What one batch says about dropped prompts. */
export interface PromptComparison extends GradientProducts {
  /** FLOPs of a whole pass. */
  readonly flops: number;
  /** Those that dropped prompts save. */
  readonly savedFlops: number;
}

/** What a checkpoint keeps of a gate. */
export interface PromptGateState {
  /** All that were made, the first first. */
  readonly decisions: readonly PromptDecision[];
  /** Sums over the batches of a measurement that is not over; null where none is under way. */
  readonly pending:
    | (PromptComparison & {
        /** How many batches were added up. */
        readonly batches: number;
      })
    | null;
}

/** Decides whether a run drops prompts: it measures at the start and after a tenth. Until the last decision it drops none. */
export interface PromptGate {
  /** Whether passes drop prompts by now. */
  readonly dropsPrompts: boolean;
  /** The latest decision. */
  readonly decision: PromptDecision | undefined;
  /** How many passes the run has: what is measured when and on how much follows from it. */
  plan(passes: number): void;
  /** Whether the batch of this pass is to be compared before it. */
  isDue(pass: number): boolean;
  /**
   * Takes what the batch of a pass says: undefined where texts cannot be divided, which decides for the whole run.
   *
   * @throws NotFinite where its gradients are not finite
   */
  add(pass: number, comparison: PromptComparison | undefined): void;
  /** JSON-safe, a copy. */
  readonly state: PromptGateState;
  /** @throws Problem if the value is not the state of a gate */
  restore(state: unknown): void;
}

/** Share of the run after which it is measured again: an adapter that begins at zero hides gradients at the start. */
const AGAIN_AT = 0.1;
/** A batch is compared for each so many passes of the run, so that a measurement takes about a thirtieth of it; four at most. */
const [PASSES_PER_BATCH, MOST_BATCHES] = [60, 4];

export function promptGate(): PromptGate {
  let passes = 0;
  let decisions: readonly PromptDecision[] = [];
  let pending: PromptGateState['pending'] = null;
  const again = (): number => Math.floor(AGAIN_AT * passes);
  const batches = (): number => Math.min(MOST_BATCHES, Math.max(1, Math.round(passes / PASSES_PER_BATCH)));
  return {
    get dropsPrompts() {
      const latest = decisions.at(-1);
      return latest?.dropsPrompts === true && latest.isPreliminary !== true;
    },
    get decision() {
      return decisions.at(-1);
    },
    plan(planned) {
      passes = planned;
    },
    isDue(pass) {
      if (pending !== null || decisions.length === 0) return true;
      return decisions.length === 1 && decisions[0]!.isPreliminary === true && pass >= again();
    },
    add(pass, comparison) {
      if (comparison === undefined) {
        decisions = [{ pass, similarity: 0, saved: 0, dropsPrompts: false, isPossible: false }];
        return;
      }
      const sums = pending ?? { both: 0, whole: 0, partial: 0, flops: 0, savedFlops: 0, batches: 0 };
      pending = {
        both: sums.both + comparison.both,
        whole: sums.whole + comparison.whole,
        partial: sums.partial + comparison.partial,
        flops: sums.flops + comparison.flops,
        savedFlops: sums.savedFlops + comparison.savedFlops,
        batches: sums.batches + 1,
      };
      if (![pending.both, pending.whole, pending.partial].every(Number.isFinite)) {
        throw notFinite('compose', {
          what: 'gradients are not finite: with and without prompts they cannot be compared',
          fix: 'train with a lower learning rate or a longer warm-up',
        });
      }
      if (pending.batches < batches()) return;
      const isPreliminary = decisions.length === 0 && again() > pass;
      decisions = [...decisions, { ...decide(pass, pending), ...(isPreliminary && { isPreliminary }) }];
      pending = null;
    },
    get state() {
      return structuredClone({ decisions, pending });
    },
    restore(state) {
      ({ decisions, pending } = readGateState(state));
    },
  };
}

function decide(pass: number, { both, whole, partial, flops, savedFlops }: PromptComparison): PromptDecision {
  const similarity = whole * partial > 0 ? both / Math.sqrt(whole * partial) : 0;
  const saved = flops > 0 ? savedFlops / flops : 0;
  return { pass, similarity, saved, dropsPrompts: saved > 0 && similarity > 0 && similarity ** 2 > 1 - saved };
}

function readGateState(state: unknown): PromptGateState {
  const wrong = (got: unknown, expected: string): Error =>
    problem('compose', { what: 'this is no state of dropped prompts', got, expected });
  if (!isObject(state)) throw wrong(state, '{ decisions, pending }');
  checkOptions('compose', 'the state of dropped prompts', state, ['decisions', 'pending']);
  const { decisions, pending } = state;
  if (!Array.isArray(decisions) || decisions.length > 2 || !decisions.every(isDecision)) {
    throw wrong(decisions, 'at most two decisions: { pass, similarity, saved, dropsPrompts }');
  }
  if (pending !== null && !hasNumbers(pending, ['both', 'whole', 'partial', 'flops', 'savedFlops', 'batches'])) {
    throw wrong(pending, 'sums of a measurement that is not over, or null');
  }
  return structuredClone({ decisions, pending }) as PromptGateState;
}

function isDecision(value: unknown): boolean {
  if (!hasNumbers(value, ['pass', 'similarity', 'saved'])) return false;
  const { dropsPrompts, isPossible, isPreliminary } = value;
  return (
    typeof dropsPrompts === 'boolean' &&
    (isPossible === undefined || (isPossible === false && !dropsPrompts)) &&
    (isPreliminary === undefined || isPreliminary === true)
  );
}

function hasNumbers(value: unknown, names: readonly string[]): value is Record<string, unknown> {
  return isObject(value) && names.every(name => Number.isFinite(value[name]));
}
