/**
 * Sizes of a group, largest first. Few sizes, because an engine loads a session for each; and few groups, because each is a
 * run: 60 tensors of one shape make 3 groups of 16 and 3 of 4.
 */
const SIZES = [16, 4, 1];
/** Elements of a group at most, where it has more than one tensor: beyond that a run's own cost does not matter. */
const MAX_ELEMENTS = 2 ** 20;

/** Divides items into groups of one shape, to be handled in one run each. */
export function equalShapeGroups<T>(items: Iterable<T>, shapeOf: (item: T) => readonly number[]): T[][] {
  const byShape = new Map<string, T[]>();
  for (const item of items) {
    const key = String(shapeOf(item));
    const list = byShape.get(key);
    if (list === undefined) byShape.set(key, [item]);
    else list.push(item);
  }
  return [...byShape.values()].flatMap(alike => {
    const elements = shapeOf(alike[0]!).reduce((product, size) => product * size, 1);
    const groups: T[][] = [];
    for (let start = 0; start < alike.length; start += groups.at(-1)!.length) {
      const rest = alike.length - start;
      const size = SIZES.find(size => size <= rest && (size === 1 || size * elements <= MAX_ELEMENTS))!;
      groups.push(alike.slice(start, start + size));
    }
    return groups;
  });
}
