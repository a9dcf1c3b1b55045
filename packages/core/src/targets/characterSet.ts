/** A set of characters. */
export interface CharacterSet {
  /** Whether the character of this code is in it. */
  has(code: number): boolean;
  /** The code of the one character that it holds. */
  readonly single?: number;
}

const SPACES = new Set(
  [0x20, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].concat(codesBetween(9, 13), codesBetween(0x1c, 0x1f), codesBetween(0x2000, 0x200a)), // prettier-ignore
);

function codesBetween(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** A set by a property of Unicode. What ASCII has of it is known in advance. */
function byProperty(property: RegExp): CharacterSet {
  const ascii = codesBetween(0, 127).map(code => property.test(String.fromCharCode(code)));
  return { has: code => (code < 128 ? ascii[code]! : property.test(String.fromCodePoint(code))) };
}

/** Python's `\w`. */
export const wordCharacters: CharacterSet = byProperty(/[\p{L}\p{N}_]/u);
const digits = byProperty(/\p{Nd}/u);
const spaces: CharacterSet = { has: code => SPACES.has(code) };

/** The set of one character. */
export function oneOf(character: string): CharacterSet {
  const own = character.codePointAt(0)!;
  return { has: code => code === own, single: own };
}

/** The set of all characters from one code to another. */
export function rangeOf(first: number, last: number): CharacterSet {
  return { has: code => code >= first && code <= last, ...(first === last && { single: first }) };
}

/** The set of all that another does not hold. */
export function negate(set: CharacterSet): CharacterSet {
  return { has: code => !set.has(code) };
}

/** The set of all that one of several holds. */
export function joinSets(sets: readonly CharacterSet[]): CharacterSet {
  if (sets.length === 1) return { has: code => sets[0]!.has(code) };
  const singles = new Set(sets.flatMap(({ single }) => (single === undefined ? [] : [single])));
  const others = sets.filter(({ single }) => single === undefined);
  return { has: code => singles.has(code) || others.some(set => set.has(code)) };
}

/** What `\d`, `\w`, `\s` and their opposites stand for; undefined for other letters. */
export function classOf(letter: string): CharacterSet | undefined {
  const set = { d: digits, w: wordCharacters, s: spaces }[letter.toLowerCase()];
  return set === undefined || letter === letter.toLowerCase() ? set : negate(set);
}
