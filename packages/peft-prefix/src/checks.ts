import { problem } from '@dropbp/basics';

/** Refuses an option that is none of the accepted values. @throws Problem naming it */
export function check<T>(name: string, value: T, accepts: (value: T) => boolean, expected: string): void {
  if (!accepts(value)) throw problem('peft-prefix', { what: `${name} is not usable`, got: value, expected });
}

/** Refuses a seed that is no integer. */
export function checkSeed(seed: number): void {
  check('seed', seed, Number.isInteger, 'an integer');
}
