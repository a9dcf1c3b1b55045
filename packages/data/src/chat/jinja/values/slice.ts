import type { Budget } from '../budget.ts';
import { JinjaError } from '../parse/lexer.ts';
import { charactersOf, intOf, kindOf, Range, Tuple, Undefined, undefinedError, type Value } from './values.ts';

/** `object[start:stop:step]`; None stands for a bound that is left out. @throws JinjaError for what has no parts */
export function sliceOf(object: Value, parts: readonly [Value, Value, Value], budget?: Budget): Value {
  if (object instanceof Undefined) throw undefinedError(object);
  if (object instanceof Range) throw new JinjaError('parts of a range are not supported');
  if (typeof object === 'string') {
    const characters = charactersOf(object);
    return placesOf(characters.length, parts, budget)
      .map(i => characters[i]!)
      .join('');
  }
  const items = object instanceof Tuple ? object.items : object;
  if (!Array.isArray(items)) throw new JinjaError(`${kindOf(object)} has no parts`);
  const taken = placesOf(items.length, parts, budget).map(i => (items as readonly Value[])[i]!);
  return object instanceof Tuple ? new Tuple(taken) : taken;
}

/** Which places of a list a slice takes. */
function placesOf(count: number, parts: readonly [Value, Value, Value], budget: Budget | undefined): number[] {
  budget?.spend(count);
  const bounds = parts.map(part => {
    const int = intOf(part);
    if (part !== null && int === undefined) throw new JinjaError('the bounds of a slice are ints');
    return int;
  });
  const step = bounds[2] ?? 1n;
  if (step === 0n) throw new JinjaError('the step of a slice cannot be 0');
  const length = BigInt(count);
  const [least, most] = step > 0n ? [0n, length] : [-1n, length - 1n];
  const bound = (value: bigint | undefined, initial: bigint): bigint => {
    if (value === undefined) return initial;
    const place = value < 0n ? value + length : value;
    return place < least ? least : place > most ? most : place;
  };
  const start = Number(bound(bounds[0], step > 0n ? 0n : length - 1n));
  const stop = Number(bound(bounds[1], step > 0n ? length : -1n));
  const places: number[] = [];
  for (let i = start; step > 0n ? i < stop : i > stop; i += Number(step)) places.push(i);
  return places;
}
