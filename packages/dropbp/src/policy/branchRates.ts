import { problem } from '@dropbp/basics';
import { allocateRates } from '../rates/allocateRates.ts';
import { depthRates } from '../rates/depthRates.ts';
import type { DropBPSettings } from './dropBPOptions.ts';
import { reachableRate, referenceRates } from '../rates/referenceRates.ts';

/** What a schedule knows of a branch. */
export interface DropBranch {
  /** FLOPs for the usual batch shape, as counts. */
  readonly flops: number;
  /** The same for the shortest and for the longest sequence that may come, which decides what allocation 'depth' comes to. @defaultValue as `flops` */
  readonly flopsRange?: readonly [number, number];
  /** Needed where the options say `only`. */
  readonly kind?: 'attention' | 'mlp';
  /**
   * Whether it leads a gradient to something trainable, in it or before it. One that does not never runs backward: it is not
   * drawn, and its FLOPs do not count. @defaultValue true
   */
  readonly leads?: boolean;
  /** Whether something in it is trainable. @defaultValue true */
  readonly trains?: boolean;
}

/** Which branches of a model take part, and the rates at which they meet a budget. */
export interface BranchRates {
  /** Numbers of the branches that may be dropped. */
  readonly takingPart: readonly number[];
  /**
   * A rate for each branch of the model, 0 for those that take no part.
   *
   * @param target - share of the costs of all branches that lead to something trainable
   * @param sensitivities - undefined: all that take part have the same rate
   * @throws Problem where no rates reach the target, naming the largest that can be reached
   */
  rates(target: number, costs: readonly number[], sensitivities: readonly number[] | undefined): number[];
  /** The share of the costs of those that take part that comes to the target. */
  rateOfTakingPart(target: number, costs: readonly number[]): number;
  /** The largest target, with rates that differ (`isAllocated`) or are the same for all. */
  largestRate(costs: readonly number[], isAllocated: boolean): number;
  /**
   * FLOPs with which a run's rate is to be within reach. By depth those of the sequences, as short or as long as may come, with which the least can be
   * dropped: else a batch in the midst of the run would be refused. Not so with `only`, where the share of one kind has no least: it falls with the length.
   */
  readonly hardestFlops: readonly number[];
}

export function branchRates(settings: DropBPSettings, branches: readonly DropBranch[]): BranchRates {
  const { only, minRate, maxRate, allocation: method } = settings;
  if (only !== undefined && branches.some(({ kind }) => kind === undefined)) {
    throw problem('dropbp', { what: `only: '${only}' needs the kind of each branch`, fix: 'start with kinds' });
  }
  const leading = [...branches.keys()].filter(i => branches[i]!.leads ?? true);
  const takingPart = leading.filter(i => only === undefined || branches[i]!.kind === only);

  const sum = (costs: readonly number[], indices: readonly number[]): number =>
    indices.reduce((all, i) => all + costs[i]!, 0);
  const rateOfTakingPart = (target: number, costs: readonly number[]): number => {
    if (takingPart.length === leading.length || target === 0) return target;
    return (target * sum(costs, leading)) / sum(costs, takingPart);
  };
  const lastTrained = takingPart.findLastIndex(i => branches[i]!.trains ?? true);
  const inFrontOfLastTrained = (costs: readonly number[]): number =>
    sum(costs, lastTrained < 0 ? takingPart : takingPart.slice(0, lastTrained));
  const largestRate = (costs: readonly number[], isAllocated: boolean): number => {
    const all = sum(costs, leading);
    if (all === 0) return 0;
    if (method === 'depth') return inFrontOfLastTrained(costs) / all;
    const own = takingPart.map(i => costs[i]!);
    const ofOwn = !isAllocated ? 1 : method === 'reference' ? largestOfReference(own, minRate) : maxRate!;
    return (ofOwn * sum(costs, takingPart)) / all;
  };
  const usual = branches.map(branch => branch.flops);
  const ends = [0, 1].map(end => branches.map(({ flops, flopsRange }) => flopsRange?.[end] ?? flops));
  const byReach = [usual, ...ends].sort((a, b) => largestRate(a, false) - largestRate(b, false));
  return {
    takingPart,
    rateOfTakingPart,
    largestRate,
    hardestFlops: method === 'depth' && only === undefined ? byReach[0]! : usual,
    rates(target, costs, sensitivities) {
      const rates = branches.map(() => 0);
      if (target === 0) return rates;
      const rate = rateOfTakingPart(target, costs);
      const isBound = method === 'depth' || takingPart.length < branches.length;
      if (takingPart.length === 0) throw nothingToDrop(only);
      if (!(rate < 1) || (isBound && target > largestRate(costs, sensitivities !== undefined))) {
        throw unreachable(target, largestRate(costs, sensitivities !== undefined), method);
      }
      const flops = takingPart.map(i => costs[i]!);
      const ownRates = (): number[] => {
        if (method === 'depth') {
          const budget = rate * sum(costs, takingPart);
          return depthRates({ flops, budget, most: inFrontOfLastTrained(costs) });
        }
        if (sensitivities === undefined) return takingPart.map(() => rate);
        return allocateRates({
          sensitivities: takingPart.map(i => sensitivities[i]!),
          flops,
          rate,
          minRate: Math.min(minRate, rate),
          ...(maxRate !== undefined && { maxRate }),
          method,
        });
      };
      const own = ownRates();
      takingPart.forEach((branch, i) => (rates[branch] = own[i]!));
      return rates;
    },
  };
}

function largestOfReference(flops: readonly number[], minRate: number): number {
  const { left } = referenceRates({ sensitivities: flops.map(() => 1), flops, rate: 1, minRate });
  return reachableRate(left, flops) ?? 0;
}

function nothingToDrop(only: DropBPSettings['only']): Error {
  const kind = only === undefined ? '' : ` of kind '${only}'`;
  return problem('dropbp', {
    what: `no branch${kind} leads to anything trainable: none has a backward pass that could be dropped`,
    fix: 'train something in the branches or in front of them, or leave DropBP out: take rate: 0',
  });
}

function unreachable(target: number, largest: number, method: DropBPSettings['allocation']): Error {
  const isDepth = method === 'depth';
  return problem('dropbp', {
    what: isDepth
      ? "the branches in front of the last one that is trained, which allocation 'depth' drops, do not reach the budget"
      : 'the branches that may be dropped do not reach the budget',
    got: target,
    expected: `at most ${Math.floor(largest * 1e4) / 1e4}`,
    fix: isDepth
      ? "lower the budget, or take allocation: 'reference', which drops branches anywhere"
      : `lower the budget${method === 'reference' ? '' : ', raise maxRate'}, or let branches of both kinds be dropped`,
  });
}
