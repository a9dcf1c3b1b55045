import { flagName } from '../flags/flagName.ts';
import { wrapped, type Styled } from '../terminal/paint.ts';
import { styledTable } from '../terminal/table.ts';
import type { BranchRecord } from '../record/runRecord.ts';

const kinds = ['attention', 'mlp'] as const;

/**
 * The drop rate and sensitivity of each branch as a table for a terminal, a row per block; undefined where nothing is dropped. A dash stands for a branch
 * without a backward pass.
 */
export function branchTable(branches: readonly BranchRecord[]): Styled | undefined {
  if (branches.every(({ dropRate }) => dropRate === 0)) return undefined;
  const isMeasured = branches.some(({ sensitivity }) => sensitivity !== undefined);
  const blocks = new Map<string, BranchRecord[]>();
  for (const branch of branches) {
    const block = branch.path.slice(0, branch.path.lastIndexOf('.'));
    const known = blocks.get(block);
    if (known === undefined) blocks.set(block, [branch]);
    else known.push(branch);
  }
  const cells = (branch: BranchRecord | undefined): string[] => {
    const { dropRate, sensitivity } = branch?.leads === false || branch === undefined ? {} : branch;
    return [dropRate?.toFixed(2) ?? '–', ...(isMeasured ? [sensitivity?.toExponential(1) ?? '–'] : [])];
  };
  const rows = [...blocks].map(([block, own]) => [
    block,
    ...kinds.flatMap(kind => cells(own.find(branch => branch.kind === kind))),
  ]);
  const header = ['drop rate', ...kinds.flatMap(kind => [kind, ...(isMeasured ? ['sensitivity'] : [])])];
  return styledTable({ header, rows });
}

/** The drop rates of all branches in one sentence; undefined where nothing is dropped. */
export function rateLine(branches: readonly BranchRecord[]): Styled | undefined {
  if (branches.every(({ dropRate }) => dropRate === 0)) return undefined;
  const rates = branches.filter(({ leads }) => leads !== false).map(({ dropRate }) => dropRate);
  const [least, most] = rates.reduce(([low, high], rate) => [Math.min(low, rate), Math.max(high, rate)], [1, 0]);
  const range = least === most ? most.toFixed(2) : `${least.toFixed(2)} to ${most.toFixed(2)}`;
  return [
    wrapped(
      `Drop rates of ${rates.length} branches: ${range}. ${flagName('verbose')} lists them, and the report draws them.`,
    ),
    '\n',
  ];
}
