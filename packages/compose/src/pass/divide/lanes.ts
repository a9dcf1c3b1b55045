import type { TextNode } from './textTree.ts';

/** A token of a lane, and which tokens of the lane see its key: those from its own on, up to and without `end`. */
export interface LaneToken {
  /** Its place in the flattened batch. */
  readonly place: number;
  readonly end: number;
}

/** A token that runs forward only, and which tokens of the rest see its key. */
export interface FrontToken extends LaneToken {
  readonly restBegin: number;
  readonly restEnd: number;
}

/** A row of a divided pass. */
export interface Lane {
  /** What runs forward only. */
  readonly front: readonly FrontToken[];
  /** What is recorded. */
  readonly rest: readonly LaneToken[];
}

/** Puts trees of texts into one lane, each node in front of its children, so that a text sees one stretch behind each of its tokens. */
export function layLane(roots: readonly TextNode[]): Lane {
  const front: FrontToken[] = [];
  const rest: LaneToken[] = [];
  const lay = (node: TextNode): void => {
    const [frontBegin, restBegin] = [front.length, rest.length];
    node.places.forEach((place, i) => {
      if (i < node.front) front.push({ place, end: 0, restBegin, restEnd: 0 });
      else rest.push({ place, end: 0 });
    });
    const ownRest = rest.length;
    node.children.forEach(lay);
    const [end, restEnd] = [front.length, rest.length];
    for (let i = frontBegin; i < frontBegin + node.front; i++) front[i] = { ...front[i]!, end, restEnd };
    for (let i = restBegin; i < ownRest; i++) rest[i] = { ...rest[i]!, end: restEnd };
  };
  roots.forEach(lay);
  return { front, rest };
}

/**
 * Puts trees into as few lanes as fit, none longer than the longest tree: the largest first, each into the first lane that has
 * space for it.
 */
export function packLanes(roots: readonly TextNode[]): Lane[] {
  const sized = roots.map(root => {
    const { front, rest } = layLane([root]);
    return { root, front: front.length, rest: rest.length };
  });
  const [longestFront, longestRest] = [
    Math.max(...sized.map(({ front }) => front)),
    Math.max(...sized.map(({ rest }) => rest)),
  ];
  const lanes: { roots: TextNode[]; front: number; rest: number }[] = [];
  for (const { root, front, rest } of sized.toSorted((a, b) => b.front + b.rest - a.front - a.rest)) {
    const fitting = lanes.find(lane => lane.front + front <= longestFront && lane.rest + rest <= longestRest);
    const lane = fitting ?? { roots: [], front: 0, rest: 0 };
    if (fitting === undefined) lanes.push(lane);
    lane.roots.push(root);
    lane.front += front;
    lane.rest += rest;
  }
  return lanes.map(lane => layLane(lane.roots));
}
