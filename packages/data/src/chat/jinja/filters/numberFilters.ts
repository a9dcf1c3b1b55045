import { fixed, wholePart } from '../values/formatText.ts';
import { JinjaError } from '../parse/lexer.ts';
import { stripText } from '../textMethods.ts';
import { intOf, isNumber, kindOf, Undefined, undefinedError } from '../values/values.ts';
import type { Filter } from './filter.ts';

/** Filters that give a number. */
export const numberFilters: Readonly<Record<string, Filter>> = {
  abs: {
    parameters: [],
    run(value) {
      const int = intOf(value);
      if (int !== undefined) return int < 0n ? -int : int;
      if (typeof value === 'number') return Math.abs(value);
      throw value instanceof Undefined ? undefinedError(value) : new JinjaError(`${kindOf(value)} is not a number`);
    },
  },
  float: {
    parameters: ['default'],
    run(value, [initial = 0]) {
      if (value instanceof Undefined) throw undefinedError(value);
      const int = intOf(value);
      if (int !== undefined) return exactFloat(int);
      return typeof value === 'number'
        ? value
        : ((typeof value === 'string' ? floatOfText(value) : undefined) ?? initial);
    },
  },
  int: {
    parameters: ['default', 'base'],
    run(value, [initial = 0n, base = 10n]) {
      if (value instanceof Undefined) throw undefinedError(value);
      if (base !== 10n) throw new JinjaError('the filter int is supported for base 10 alone');
      const int = intOf(value);
      if (int !== undefined) return int;
      if (typeof value === 'number') return Number.isFinite(value) ? wholePart(value) : initial;
      if (typeof value !== 'string') return initial;
      const stripped = stripText(value, undefined, true, true);
      if (/^[-+]?\d+(_\d+)*$/.test(stripped)) {
        if (stripped.length > 4300) throw new JinjaError('an int of so many digits is not read');
        const digits = stripped.replaceAll('_', '').replace('+', '');
        return digits.startsWith('-') ? -BigInt(digits.slice(1)) : BigInt(digits);
      }
      const float = floatOfText(value);
      return float !== undefined && Number.isFinite(float) ? wholePart(float) : initial;
    },
  },
  round: {
    parameters: ['precision', 'method'],
    run(value, [precision = 0n, method = 'common']) {
      const decimals = intOf(precision);
      if (value instanceof Undefined) throw undefinedError(value);
      if (!isNumber(value) || decimals === undefined) throw new JinjaError('round needs numbers');
      if (decimals < 0n) throw new JinjaError('round to tens is not supported');
      if (method === 'common') {
        const int = intOf(value);
        if (int !== undefined) return int;
        return Number.isFinite(value) ? Number(fixed(value as number, Number(decimals))) : value;
      }
      if (method !== 'ceil' && method !== 'floor') throw new JinjaError("round takes 'common', 'ceil' or 'floor'");
      const factor = 10 ** Number(decimals);
      const scaled = Number(intOf(value) ?? value) * factor;
      if (!(Math.abs(scaled) < 2 ** 53)) throw new JinjaError('round is not supported for so large a number');
      const whole = method === 'ceil' ? Math.ceil(scaled) : Math.floor(scaled);
      return (whole === 0 ? 0 : whole) / factor;
    },
  },
};

function floatOfText(value: string): number | undefined {
  const stripped = stripText(value, undefined, true, true);
  if (/[^\P{Nd}0-9]/u.test(stripped)) throw new JinjaError('digits beyond 0 to 9 are not read as numbers here');
  if (/^[-+]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[-+]?\d+(_\d+)*)?$/i.test(stripped)) return Number(stripped.replaceAll('_', '')); // prettier-ignore
  if (/^[-+]?(inf|infinity)$/i.test(stripped)) return stripped.startsWith('-') ? -Infinity : Infinity;
  return /^[-+]?nan$/i.test(stripped) ? NaN : undefined;
}

function exactFloat(int: bigint): number {
  const float = Number(int);
  if (Number.isFinite(float)) return float;
  throw new JinjaError(`${int} has no float`);
}
