import { drawFrom, type Draw } from './mutate/draw.ts';
import type { FuzzTarget } from './target.ts';

/** What inputs are made from. */
export type Damageable = Pick<FuzzTarget, 'inputs' | 'pieces' | 'mutate'>;

/**
 * The damaged input of a run: the same for the same seed and number on every machine. Where a target knows the structure of its
 * inputs, two of three are changed by it, and few of those damaged as well.
 */
export function damagedInput({ inputs, pieces, mutate }: Damageable, seed: number, run: number): Uint8Array {
  const draw = drawFrom(seed, run);
  const good = new Uint8Array(draw.pick(inputs));
  if (mutate === undefined || draw.chance(1 / 3)) return damageBytes(good, pieces, draw);
  const changed = mutate(good, draw);
  return draw.chance(0.03) ? damageBytes(new Uint8Array(changed), pieces, draw) : changed;
}

function damageBytes(
  good: Uint8Array<ArrayBuffer>,
  pieces: Damageable['pieces'],
  { below, pick, chance }: Draw,
): Uint8Array<ArrayBuffer> {
  let bytes = good;
  const times = 1 + below(chance(0.7) ? 2 : 12);
  for (let i = 0; i < times; i++) {
    const at = below(bytes.length + 1);
    const length = Math.min(bytes.length - at, below(chance(0.8) ? 9 : 200));
    const piece = pick(pieces);
    const inserted = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece;
    const damages = [
      () => flipped(bytes, at, 1 << below(8)),
      () => replaced(bytes, at, 1, Uint8Array.of(pick([0, 1, 0x7f, 0x80, 0xff, below(256)]))),
      () => bytes.slice(0, at),
      () => replaced(bytes, at, length, new Uint8Array(0)),
      () => replaced(bytes, at, 0, bytes.slice(at, at + length)),
      () => replaced(bytes, at, 0, inserted),
      () => replaced(bytes, at, inserted.length, inserted),
      () =>
        replaced(
          bytes,
          at,
          length,
          bytes.slice(...ordered(below(bytes.length + 1), below(bytes.length + 1))).slice(0, 64),
        ),
      () => replaced(bytes, at, Math.min(4, bytes.length - at), extreme(below(6))),
    ];
    bytes = pick(damages)();
  }
  return bytes;
}

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(bytes);
  if (at < result.length) result[at]! ^= bit;
  return result;
}

function replaced(bytes: Uint8Array, at: number, length: number, by: Uint8Array): Uint8Array<ArrayBuffer> {
  const rest = bytes.subarray(Math.min(bytes.length, at + length));
  const result = new Uint8Array(at + by.length + rest.length);
  result.set(bytes.subarray(0, at));
  result.set(by, at);
  result.set(rest, at + by.length);
  return result;
}

/** Numbers at the ends of their ranges, as files hold them. */
function extreme(which: number): Uint8Array {
  return Uint8Array.from(
    [
      [0xff, 0xff, 0xff, 0xff],
      [0xff, 0xff, 0xff, 0x7f],
      [0x00, 0x00, 0x00, 0x80],
      [0x00, 0x00, 0x00, 0x00],
      [0xfe, 0xff, 0xff, 0xff, 0x0f],
      [0x00, 0x00, 0x00, 0x40],
    ][which]!,
  );
}

function ordered(a: number, b: number): [number, number] {
  return a < b ? [a, b] : [b, a];
}
