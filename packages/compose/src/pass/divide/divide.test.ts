import { describe, expect, it } from 'vitest';
import { batchTexts } from './batchTexts.ts';
import { layLane, packLanes } from './lanes.ts';
import { layParts } from './layParts.ts';
import { separateTexts, shareBeginnings } from './textTree.ts';

/** A batch of one row or two, whose tokens at `predicts` predict a label. */
function host(time: number, predicts: number[], others: { attentionMask?: number[]; positions?: number[] } = {}) {
  const { attentionMask, positions } = others;
  const rows = { positions: Int32Array.from(predicts), labels: new Int32Array(predicts.length), batch: 2, time };
  return { inputIds: new Int32Array(2 * time), attentionMask, positions, rows };
}

describe('batchTexts', () => {
  it('has the prompt of each row in front of what predicts the first label, and nothing behind the last', () => {
    expect(batchTexts(host(5, [2, 3, 6]))).toEqual([
      { places: [0, 1, 2, 3], front: 2, row: 0 },
      { places: [5, 6], front: 1, row: 1 },
    ]);
  });
  it('has several texts of a row, and leaves out those without a label and padding', () => {
    const positions = [0, 1, 2, 0, 1, 0, 1, 0, 0, 0];
    const attentionMask = [1, 1, 1, 1, 1, 1, 1, 0, 0, 0];
    expect(batchTexts(host(5, [1, 5], { positions, attentionMask }))).toEqual([
      { places: [0, 1], front: 1, row: 0 },
      { places: [5], front: 0, row: 1 },
    ]);
  });
  it('has no prompt where what an adapter puts in front predicts the first token', () => {
    expect(batchTexts(host(4, [-1, 2, -2]))).toEqual([
      { places: [0, 1, 2], front: 0, row: 0 },
      { places: [], front: 0, row: 1 },
    ]);
  });
  it('has nothing where padding predicts a label', () => {
    expect(batchTexts(host(3, [0, 2], { attentionMask: [0, 1, 1, 1, 1, 1] }))).toBeUndefined();
  });
});

const texts = [
  { places: [0, 1, 2, 3], front: 3, row: 0 },
  { places: [10, 11, 12, 13, 14], front: 3, row: 1 },
  { places: [20, 21], front: 1, row: 2 },
];
/** The first two tokens of the first two texts are the same. */
const keyOf = (place: number): string => (place < 20 && place % 10 < 2 ? String(place % 10) : String(100 + place));

describe('shareBeginnings', () => {
  it('has the common tokens once, with what goes on from them', () => {
    expect(shareBeginnings(texts, true, keyOf)).toEqual([
      {
        places: [0, 1],
        front: 2,
        children: [
          { places: [2, 3], front: 1, children: [] },
          { places: [12, 13, 14], front: 1, children: [] },
        ],
      },
      { places: [20, 21], front: 1, children: [] },
    ]);
  });
  it('shares prompts alone, and drops nothing unless that is asked for', () => {
    const same = (): string => 'same';
    const [root] = shareBeginnings(texts.slice(0, 2), false, same);
    expect(root).toMatchObject({ places: [0, 1, 2], front: 0 });
    expect(root!.children.map(({ places }) => places)).toEqual([[3], [13, 14]]);
  });
});

describe('lanes', () => {
  it('let a token be seen by what goes on from it, in the front and in the rest', () => {
    const [tree] = shareBeginnings(texts, true, keyOf);
    const { front, rest } = layLane([tree!]);
    expect(front.map(({ place, end, restBegin, restEnd }) => [place, end, restBegin, restEnd])).toEqual([
      [0, 4, 0, 3],
      [1, 4, 0, 3],
      [2, 3, 0, 1],
      [12, 4, 1, 3],
    ]);
    expect(rest.map(({ place, end }) => [place, end])).toEqual([[3, 1], [13, 3], [14, 3]]); // prettier-ignore
  });
  it('take what fits beside the longest', () => {
    const node = (front: number, rest: number, first: number) => ({
      places: Array.from({ length: front + rest }, (_, i) => first + i),
      front,
      children: [],
    });
    const lanes = packLanes([node(1, 1, 0), node(6, 3, 10), node(4, 1, 20), node(3, 1, 30)]);
    expect(lanes.map(({ front, rest }) => [front.length, rest.length])).toEqual([
      [6, 3],
      [5, 2],
      [3, 1],
    ]);
  });
});

describe('layParts', () => {
  it('cuts what is in front, fills lanes up, and has virtual keys and tokens once as constants and once to train', () => {
    const lanes = separateTexts(
      [
        { places: Array.from({ length: 71 }, (_, i) => i), front: 70, row: 0 },
        { places: [100, 101], front: 0, row: 1 },
      ],
      true,
    ).map(node => layLane([node]));
    const options = { virtualTokens: 1, virtualKeys: 2, positionOf: (place: number) => 3 + (place % 100), fill: (length: number) => length + 1, frontTokens: 1 }; // prettier-ignore
    const { front, rest } = layParts(lanes, options);
    expect(front.map(({ time, keys, isStart }) => [time, keys, isStart])).toEqual([
      [64, 67, true],
      [7, 74, false],
    ]);
    // The last token of the first lane stands behind 3 virtual keys and 69 tokens, and is number 5 of its part.
    expect([front[1]!.mask.begins[72], front[1]!.mask.ends[72], front[1]!.mask.positions[72]]).toEqual([5, 6, 72]);
    // Nothing sees what fills a lane up.
    expect([front[1]!.places[6], front[1]!.mask.ends[73]]).toEqual([-1, 0]);
    expect([rest.time, rest.keys, rest.isStart]).toEqual([3, 3 + 71 + 3 + 3, true]);
    const ends = [...rest.mask.ends.subarray(0, rest.keys)];
    // Of the virtual keys those of the front are hidden; the queries are a virtual token, the own one and what fills up.
    expect(ends.slice(0, 4)).toEqual([0, 0, 0, 2]);
    expect(ends.slice(73).map(end => Math.min(end, 9))).toEqual([0, 9, 9, 9, 2, 0, 0]);
    expect([...rest.places]).toEqual([70, -1, -1, 100, 101, -1]);
    expect([...rest.positions]).toEqual([2, 73, 0, 0, 2, 3, 4, 0]);
  });
});
