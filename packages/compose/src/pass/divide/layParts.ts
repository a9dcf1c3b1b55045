import type { Lane } from './lanes.ts';

/** Tokens that run in one pass, lane by lane, as numbers of the host. */
export interface Part {
  readonly lanes: number;
  /** Tokens of each lane, without virtual ones. */
  readonly time: number;
  /** `[lanes · time]`: the place of each token in the flattened batch; -1 for one that fills up. */
  readonly places: Int32Array;
  /** `[lanes · (virtual + time)]`: positions in the texts. */
  readonly positions: Int32Array;
  /** Keys that each lane's tokens look at. */
  readonly keys: number;
  /** `[lanes · keys]` each: see `KeyMask`. */
  readonly mask: Readonly<Record<'begins' | 'ends' | 'positions', Float32Array>>;
  /** Whether what an adapter puts in front is put there. */
  readonly isStart: boolean;
}

/** What {@link layParts} needs to know of a model and its batch. */
export interface PartOptions {
  /** See `Runnable`. */
  readonly virtualTokens: number;
  /** See `Runnable`. */
  readonly virtualKeys: number;
  /** The position of a token in its text, virtual ones included, by its place. */
  readonly positionOf: (place: number) => number;
  /** The length that lanes of this many tokens are filled up to. */
  readonly fill: (length: number) => number;
  /** Tokens that run forward at a time, of all lanes together. */
  readonly frontTokens: number;
}

/** The passes of a division. */
export interface Parts {
  /** What runs forward only, one after the other. */
  readonly front: readonly Part[];
  /** What is recorded. */
  readonly rest: Part;
}

/** Above the number of every query. */
const ALL = 2 ** 24;
/** The fewest tokens of a lane that run forward at a time. */
const SHORTEST_PART = 64;

/** Cuts lanes into passes. Keys lie in this order: virtual ones, front, and in the rest virtual ones once more, as they take gradients there. */
export function layParts(lanes: readonly Lane[], options: PartOptions): Parts {
  const { virtualTokens, virtualKeys, fill, frontTokens } = options;
  const virtual = virtualKeys + virtualTokens;
  const longest = (of: 'front' | 'rest'): number => Math.max(...lanes.map(lane => lane[of].length));
  const frontTime = longest('front') === 0 ? 0 : fill(longest('front'));
  const length = Math.max(SHORTEST_PART, Math.floor(frontTokens / lanes.length));
  const front: Part[] = [];
  for (let start = 0; start < frontTime; start += length) {
    const end = Math.min(start + length, frontTime);
    const isStart = start === 0;
    const first = isStart ? virtualTokens : 0; // the query of the part's first own token
    front.push(
      fillPart(lanes, { time: end - start, keys: virtual + end, isStart }, options, lane => ({
        tokens: lane.front.slice(start, end),
        keys(key) {
          for (let i = 0; i < virtual; i++) key(i, isStart ? Math.max(0, i - virtualKeys) : 0, ALL, i);
          lane.front.slice(0, end).forEach(({ place, end }, i) => {
            const shift = first - start;
            key(virtual + i, Math.max(0, i + shift), end + shift, options.positionOf(place));
          });
        },
      })),
    );
  }
  const time = fill(longest('rest'));
  // Without a front nothing is left from before.
  const before = frontTime === 0 ? 0 : virtual + frontTime;
  const rest = fillPart(lanes, { time, keys: before + virtual + time, isStart: true }, options, lane => ({
    tokens: lane.rest,
    keys(key) {
      lane.front.forEach(({ place, restBegin, restEnd }, i) =>
        key(virtual + i, virtualTokens + restBegin, virtualTokens + restEnd, options.positionOf(place)),
      );
      for (let i = 0; i < virtual; i++) key(before + i, Math.max(0, i - virtualKeys), ALL, i);
      lane.rest.forEach(({ place, end }, i) =>
        key(before + virtual + i, virtualTokens + i, virtualTokens + end, options.positionOf(place)),
      );
    },
  }));
  return { front, rest };
}

type SetKey = (index: number, begin: number, end: number, position: number) => void;

function fillPart(
  lanes: readonly Lane[],
  { time, keys, isStart }: Pick<Part, 'time' | 'keys' | 'isStart'>,
  { virtualTokens, virtualKeys, positionOf }: PartOptions,
  of: (lane: Lane) => {
    readonly tokens: readonly { readonly place: number }[];
    readonly keys: (key: SetKey) => void;
  },
): Part {
  const virtual = isStart ? virtualTokens : 0;
  const places = new Int32Array(lanes.length * time).fill(-1);
  const positions = new Int32Array(lanes.length * (virtual + time));
  // A key that nothing is said of is seen by none.
  const mask = {
    begins: new Float32Array(lanes.length * keys),
    ends: new Float32Array(lanes.length * keys),
    positions: new Float32Array(lanes.length * keys),
  };
  lanes.forEach((lane, row) => {
    const parts = of(lane);
    for (let i = 0; i < virtual; i++) positions[row * (virtual + time) + i] = virtualKeys + i;
    parts.tokens.forEach(({ place }, i) => {
      places[row * time + i] = place;
      positions[row * (virtual + time) + virtual + i] = positionOf(place);
    });
    parts.keys((index, begin, end, position) => {
      const at = row * keys + index;
      mask.begins[at] = begin;
      mask.ends[at] = end;
      mask.positions[at] = position;
    });
  });
  return { lanes: lanes.length, time, places, positions, keys, mask, isStart };
}
