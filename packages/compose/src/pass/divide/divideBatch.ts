import { bucketLength, sum } from '@dropbp/basics';
import { activeEngine, type LabelledRows, type Runnable } from '@dropbp/core';
import { partFlops } from '../../plan/partsFlops.ts';
import { branchFlops } from '../../plan/branchFlops.ts';
import { batchTexts, type HostBatch, type Text } from './batchTexts.ts';
import { layLane, packLanes, type Lane } from './lanes.ts';
import { layParts, type Part, type Parts } from './layParts.ts';
import { separateTexts, shareBeginnings, type TextNode } from './textTree.ts';

/** How a batch is divided. */
export interface DivideOptions {
  /** Whether prompts run forward only. */
  readonly dropPrompts: boolean;
  /** Whether prompts that begin with the same tokens run once. */
  readonly sharedPrompts: boolean;
}

/** A batch in parts. */
export interface Division extends Parts {
  /** The labels, by their places in `rest`. */
  readonly rows: LabelledRows;
  /** FLOPs of each branch's forward pass: through the front, and through the rest. */
  readonly flops: Readonly<Record<'front' | 'rest', readonly number[]>>;
  /** All positions are below this. */
  readonly positionsEnd: number;
}

/** Sharing prompts must save this part of the FLOPs, as it takes more kinds of passes. */
const LEAST_SAVING = 0.1;
/** Tokens that run forward at a time. */
const FRONT_TOKENS = 1024;

/** Divides a batch. @returns undefined where it is better run as it is */
export function divideBatch(
  runnable: Runnable,
  batch: HostBatch,
  { dropPrompts, sharedPrompts }: DivideOptions,
): Division | undefined {
  const texts = batchTexts(batch);
  if (texts === undefined || texts.every(({ front }) => front === 0)) return undefined;
  const rowsInOrder = [...new Set(texts.map(({ row }) => row))];
  const lay = (lanes: readonly Lane[]): Division => divideLanes(runnable, batch, lanes, rowsInOrder);
  const separate = dropPrompts ? lay(laneForEachRow(texts, separateTexts(texts, true))) : undefined;
  if (!sharedPrompts) return separate;
  const shared = sharedLanes(batch, texts, dropPrompts);
  if (shared === undefined) return separate;
  const division = lay(shared);
  const plain = separate === undefined ? 2 * sum(branchFlops(runnable, batch.rows)) : costOf(separate);
  return costOf(division) <= (1 - LEAST_SAVING) * plain ? division : separate;
}

function laneForEachRow(texts: readonly Text[], nodes: readonly TextNode[]): Lane[] {
  const rows = new Map<number, TextNode[]>();
  texts.forEach(({ row }, i) => rows.set(row, [...(rows.get(row) ?? []), nodes[i]!]));
  return [...rows.values()].map(layLane);
}

/** Undefined where no texts begin alike. */
function sharedLanes(
  { inputIds, rows, positions }: HostBatch,
  texts: readonly Text[],
  dropPrompts: boolean,
): Lane[] | undefined {
  // What is in front of a lane predicts the first token of one text.
  if (texts.length < 2 || rows.positions.some(position => position < 0)) return undefined;
  const positionOf = (place: number): number => positions?.[place] ?? place % rows.time;
  const roots = shareBeginnings(texts, dropPrompts, place => `${inputIds[place]!}@${positionOf(place)}`);
  return roots.length === texts.length ? undefined : packLanes(roots);
}

/** About the FLOPs of a step: a backward pass costs as much as its forward pass, or twice as much with all weights. */
function costOf({ flops: { front, rest } }: Division): number {
  return sum(front) + 2 * sum(rest);
}

function divideLanes(
  runnable: Runnable,
  { rows, positions }: HostBatch,
  lanes: readonly Lane[],
  rowsInOrder: readonly number[],
): Division {
  const { virtualTokens = 0, virtualKeys = 0 } = runnable;
  const virtual = virtualTokens + virtualKeys;
  const parts = layParts(lanes, {
    virtualTokens,
    virtualKeys,
    positionOf: place => virtual + (positions?.[place] ?? place % rows.time),
    fill: length => (activeEngine() === undefined ? length : bucketLength(length)),
    frontTokens: FRONT_TOKENS,
  });
  const flopsOf = (part: Part): number[] => {
    const tokens = part.time + (part.isStart ? virtualTokens : 0);
    return partFlops(runnable, { lanes: part.lanes, tokens, keys: part.keys });
  };
  // Nothing behind the last attention runs of the front.
  const last = runnable.model.branches.findLastIndex(({ kind }) => kind === 'attention');
  const front = runnable.model.branches.map((_, i) => (i > last ? 0 : sum(parts.front.map(part => flopsOf(part)[i]!))));
  return {
    ...parts,
    rows: moveLabels(rows, parts.rest, rowsInOrder),
    flops: { front, rest: flopsOf(parts.rest) },
    positionsEnd: virtual + rows.time,
  };
}

/**
 * The labels by the places of the tokens that predict them in a part.
 *
 * @param rowsInOrder - the row of each lane, where a row has a lane of its own: what is in front of it may predict a label
 */
function moveLabels({ positions, labels }: LabelledRows, rest: Part, rowsInOrder: readonly number[]): LabelledRows {
  const moved = new Map<number, number>();
  rest.places.forEach((place, i) => moved.set(place, i));
  const move = (position: number): number =>
    position < 0 ? -1 - rowsInOrder.indexOf(-1 - position) : moved.get(position)!;
  return { positions: positions.map(move), labels, batch: rest.lanes, time: rest.time };
}
