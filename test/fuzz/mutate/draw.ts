import { seededRandom } from '@dropbp/basics';

/** Chance, the same for the same seeds on every machine. */
export interface Draw {
  /** An integer in [0, count), or 0. */
  readonly below: (count: number) => number;
  readonly pick: <T>(list: readonly T[]) => T;
  /** True with this probability. */
  readonly chance: (probability: number) => boolean;
}

export function drawFrom(...seeds: number[]): Draw {
  const random = seededRandom(...seeds);
  const below = (count: number): number => Math.floor(random() * count);
  return { below, pick: list => list[below(list.length)]!, chance: probability => random() < probability };
}

/** Makes another input of a good one, by its structure. */
export type Mutate = (input: Uint8Array, draw: Draw) => Uint8Array;

export const encodeText = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
export const decodeText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** How many changes: mostly one or two. */
export function changesOf(draw: Draw): number {
  return 1 + draw.below(draw.chance(0.75) ? 2 : 6);
}

/** A text with some of its tokens left out, doubled, swapped, replaced by others of it, or with pieces put in. */
export function mutateTokens(text: string, token: RegExp, pieces: readonly string[], draw: Draw): string {
  const tokens = text.match(token) ?? [];
  for (let i = changesOf(draw); i > 0; i--) {
    const at = draw.below(tokens.length + 1);
    const other = draw.below(tokens.length + 1);
    const changes = [
      () => tokens.splice(at, 1),
      () => tokens.splice(at, 1 + draw.below(8)),
      () => tokens.splice(at, 0, tokens[other] ?? ''),
      () => tokens.splice(at, 1, tokens[other] ?? ''),
      () => tokens.splice(at, 0, ...tokens.slice(other, other + 1 + draw.below(12))),
      () => tokens.splice(at, 0, draw.pick(pieces)),
      () => tokens.splice(at, 1, draw.pick(pieces)),
      () => tokens.splice(at, 0, draw.pick(pieces)),
    ];
    draw.pick(changes)();
  }
  return tokens.join('');
}
