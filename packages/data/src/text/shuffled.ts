/** 0 to `count - 1` in random order (Fisher–Yates). */
export function shuffled(count: number, random: () => number): Uint32Array {
  return shuffle(
    Uint32Array.from({ length: count }, (_, i) => i),
    random,
  );
}

/** Puts a list into random order, in place, and gives it back. */
export function shuffle<T extends unknown[] | Uint32Array>(list: T, random: () => number): T {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}
