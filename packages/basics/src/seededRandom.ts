import { checkValue } from './checks/checkValue.ts';

/** A random generator with a state that can be stored and put back. */
export interface SeededRandom {
  /** A number in [0, 1) with 32 random bits. */
  (): number;
  /** A sample of the standard normal distribution (Box–Muller, two draws each). */
  normal(): number;
  /** The state, for checkpoints: JSON-safe. */
  readonly state: readonly number[];
  /** Continues from a state that `state` gave. @throws Problem for another one */
  restore(state: readonly number[]): void;
}

/**
 * Makes a generator that draws the same numbers for the same seeds on every machine.
 * Several seeds (a run's seed and a step, say) give streams that are independent of each other.
 *
 * Source: sfc32 of PractRand (public domain), seeded by splitmix32.
 *
 * @param seeds - numbers, taken as 32-bit integers
 */
export function seededRandom(...seeds: number[]): SeededRandom {
  let [a, b, c, d] = mix(seeds);
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i++) next();
  return Object.defineProperties(next, {
    normal: { value: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()) },
    state: { get: () => [a, b, c, d] },
    restore: {
      value: (state: readonly number[]) => {
        checkValue('basics', 'the state of a generator', state, isState, 'four integers, as state gives them');
        [a, b, c, d] = state as [number, number, number, number];
      },
    },
  }) as SeededRandom;
}

function isState(state: unknown): boolean {
  return Array.isArray(state) && state.length === 4 && state.every(Number.isInteger);
}

function mix(seeds: readonly number[]): [number, number, number, number] {
  let state = 0x9e3779b9;
  const splitmix = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  for (const seed of seeds) state = splitmix() ^ (seed | 0);
  return [splitmix(), splitmix(), splitmix(), splitmix()];
}
