import { isObject, nearNames } from '@dropbp/basics';
import { ApiError } from '../http/apiError.ts';

/** Reads the value of a field. @throws ApiError for one that is not usable */
export type ReadField<T> = (value: unknown, name: string) => T;

/** The fields that an object may have. A field of null is as good as absent. */
export type Fields = Readonly<Record<string, ReadField<unknown>>>;

/** The fields of an object of these values, and more whose values nobody reads. */
export type FieldsOf<V> = { readonly [K in keyof V]-?: ReadField<NonNullable<V[K]>> } & Fields;

/**
 * Reads an object field by field.
 *
 * @param place - where the object stands in the request, with a dot at its end; empty for the request itself
 * @throws ApiError for fields that nobody reads, by name, and for a value that is not usable
 */
export function readFields<V>(given: unknown, fields: FieldsOf<V>, place: string = ''): Partial<V> {
  if (!isObject(given)) throw unusable(place.replace(/\.$/, ''), given, 'an object');
  const unknown = Object.keys(given).filter(key => !Object.hasOwn(fields, key));
  if (unknown.length > 0) throw unknownFields(unknown, Object.keys(fields), place);
  const values = Object.entries(given).flatMap(([key, value]) => {
    if (value === null || value === undefined) return [];
    return [[key, fields[key]!(value, place + key)] as const];
  });
  return Object.fromEntries(values) as Partial<V>;
}

function unknownFields(unknown: readonly string[], known: readonly string[], place: string): ApiError {
  const names = unknown.slice(0, 8).map(name => `'${place}${name.slice(0, 80)}'`);
  const near = unknown.length === 1 ? nearNames(unknown[0]!, known) : [];
  return new ApiError({
    what: `the server does not know ${names.join(', ')}${unknown.length > names.length ? ' and more' : ''}`,
    expected: `fields among ${known.join(', ')}`,
    ...(near.length > 0 && { fix: `did you mean ${near.map(name => `'${name}'`).join(' or ')}?` }),
    param: `${place}${unknown[0]!.slice(0, 80)}`,
    code: 'unknown_parameter',
  });
}

/** The error of a value that a field does not take. */
export function unusable(name: string, got: unknown, expected: string, fix?: string): ApiError {
  return new ApiError({
    what: `'${name}' is not usable`,
    ...{ got, expected, param: name, code: 'invalid_value' },
    ...(fix !== undefined && { fix }),
  });
}

/** A number between two others, both included. */
export function numberIn(least: number, most: number): ReadField<number> {
  return (value, name) => {
    if (typeof value === 'number' && value >= least && value <= most) return value;
    throw unusable(name, value, `a number from ${least} to ${most}`);
  };
}

/** A whole number. @param least - the smallest */
export function integerFrom(least: number): ReadField<number> {
  return (value, name) => {
    if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
    throw unusable(name, value, least === -Infinity ? 'an integer' : `an integer ≥ ${least}`);
  };
}

export const flag: ReadField<boolean> = (value, name) => {
  if (typeof value === 'boolean') return value;
  throw unusable(name, value, 'true or false');
};

export const text: ReadField<string> = (value, name) => {
  if (typeof value === 'string') return value;
  throw unusable(name, value, 'a text');
};

/** A field of the protocol that the server cannot follow: it takes the values alone that ask for nothing. */
export function only(...values: readonly unknown[]): ReadField<unknown> {
  return (value, name) => {
    if (values.some(other => JSON.stringify(other) === shortJson(value))) return value;
    throw new ApiError({
      what: `the server cannot do '${name}'`,
      got: value,
      expected: values.length === 0 ? 'a request without it' : values.map(other => JSON.stringify(other)).join(' or '),
      ...{ param: name, code: 'unsupported_parameter' },
    });
  };
}

/** A field whose value says something that changes no answer. */
export const ignored: ReadField<unknown> = value => value;

/** JSON of a value that is small; undefined of a larger one, which may be of any depth. */
function shortJson(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value);
  if (entries.length > 1 || entries.some(([, entry]) => typeof entry === 'object')) return undefined;
  return JSON.stringify(value);
}
