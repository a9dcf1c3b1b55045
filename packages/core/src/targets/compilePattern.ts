import { wordCharacters, type CharacterSet } from './characterSet.ts';
import { parsePattern, PatternError, type PatternNode } from './parsePattern.ts';

/** A regular expression of Python, matched in time that grows with its length times that of the text. */
export interface Pattern {
  /**
   * What its groups hold where it matches from the start of a text, the whole first; undefined where it does not match.
   *
   * @throws PatternError where the match takes too many steps
   */
  readonly match: (text: string) => readonly (string | undefined)[] | undefined;
  /**
   * Whether it matches a whole text.
   *
   * @throws PatternError where the match takes too many steps
   */
  readonly matchesWhole: (text: string) => boolean;
}

type Step =
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'either'; readonly first: number; readonly second: number }
  | { readonly kind: 'go'; readonly to: number }
  | { readonly kind: 'save'; readonly slot: number }
  | { readonly kind: 'again'; readonly number: number }
  | { readonly kind: 'place'; readonly place: (PatternNode & { kind: 'place' })['place'] }
  | {
      readonly kind: 'look';
      readonly program: Program;
      readonly width: number | undefined;
      readonly isNegative: boolean;
    }
  | { readonly kind: 'end' };

type Program = readonly Step[];

/** The most steps of a program: a counted repetition is written out. */
const MAX_PROGRAM = 2 ** 16;
/** What the first matches may take, and each further one on average. */
const FIRST_STEPS = 1_000_000;
const STEPS_A_MATCH = 20_000;

/**
 * Reads a regular expression of Python's `re`. Every state is entered once for each place in the text, so that no expression takes
 * exponential time; one that refers back to a group has a limit on its steps alone.
 *
 * @throws PatternError where the expression cannot be used, or is too long
 */
export function compilePattern(source: string): Pattern {
  const { node, groups } = parsePattern(source);
  let hasReferences = false;
  const program = programOf(node);
  let allowed = FIRST_STEPS;

  const run = (text: string, isWhole: boolean): readonly number[] | undefined => {
    allowed = Math.min(FIRST_STEPS, allowed + STEPS_A_MATCH);
    const codes = Array.from(text, character => character.codePointAt(0)!);
    return walk(program, codes, 0, new Array<number>(2 * (groups + 1)).fill(-1), isWhole ? codes.length : undefined);
  };
  return {
    match(text) {
      const slots = run(text, false);
      if (slots === undefined) return undefined;
      const characters = Array.from(text);
      return Array.from({ length: groups + 1 }, (_, i) =>
        slots[2 * i + 1]! < 0 ? undefined : characters.slice(slots[2 * i], slots[2 * i + 1]).join(''),
      );
    },
    matchesWhole: text => run(text, true) !== undefined,
  };

  function programOf(part: PatternNode): Program {
    const steps: Step[] = [];
    const add = (step: Step): number => {
      if (steps.length >= MAX_PROGRAM) throw new PatternError('it is too large once its repetitions are written out');
      return steps.push(step) - 1;
    };
    const write = (own: PatternNode): void => {
      switch (own.kind) {
        case 'set':
        case 'place':
          add(own);
          break;
        case 'again':
          hasReferences = true;
          add(own);
          break;
        case 'sequence':
          own.parts.forEach(write);
          break;
        case 'alternatives': {
          const ends: number[] = [];
          own.parts.forEach((alternative, i) => {
            const isLast = i === own.parts.length - 1;
            const choice = isLast ? -1 : add({ kind: 'either', first: steps.length + 1, second: -1 });
            write(alternative);
            if (isLast) return;
            ends.push(add({ kind: 'go', to: -1 }));
            steps[choice] = { kind: 'either', first: choice + 1, second: steps.length };
          });
          for (const end of ends) steps[end] = { kind: 'go', to: steps.length };
          break;
        }
        case 'repeat':
          writeRepeat(own);
          break;
        case 'group':
          add({ kind: 'save', slot: 2 * own.number });
          write(own.part);
          add({ kind: 'save', slot: 2 * own.number + 1 });
          break;
        case 'look': {
          const width = own.isBehind ? widthOf(own.part) : undefined;
          add({ kind: 'look', program: programOf(own.part), width, isNegative: own.isNegative });
        }
      }
    };
    const writeRepeat = ({ part: own, least, most, isLazy }: PatternNode & { kind: 'repeat' }): void => {
      for (let i = 0; i < least; i++) write(own);
      const choice = (): number => add({ kind: 'either', first: -1, second: -1 });
      const settle = (place: number, inside: number, outside: number): void => {
        const [first, second] = isLazy ? [outside, inside] : [inside, outside];
        steps[place] = { kind: 'either', first, second };
      };
      if (most === Infinity) {
        const place = choice();
        write(own);
        add({ kind: 'go', to: place });
        settle(place, place + 1, steps.length);
        return;
      }
      const places: number[] = [];
      for (let i = least; i < most; i++) {
        places.push(choice());
        write(own);
      }
      for (const place of places) settle(place, place + 1, steps.length);
    };
    write(part);
    add({ kind: 'end' });
    return steps;
  }

  /** The slots after a match from a place, undefined where there is none. `end`: where the match must end. */
  function walk(
    steps: Program,
    codes: readonly number[],
    start: number,
    slots: number[],
    end?: number,
  ): number[] | undefined {
    const width = codes.length + 1;
    const seen = new Set<number | string>();
    const todo: [step: number, at: number, slots: number[]][] = [[0, start, slots]];
    for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
      let [step, at, own] = state;
      for (;;) {
        if (--allowed < 0) throw new PatternError('it takes too many steps to match');
        const current = steps[step]!;
        if (current.kind === 'end') {
          if (end !== undefined && at !== end) break;
          return withSlots(withSlots(own, 0, start), 1, at);
        }
        if (current.kind === 'either') {
          // From here it failed before, or it went round without a character.
          const key = hasReferences ? `${step * width + at} ${own.join(' ')}` : step * width + at;
          if (seen.has(key)) break;
          seen.add(key);
          todo.push([current.second, at, own]);
          step = current.first;
          continue;
        }
        if (current.kind === 'go') {
          step = current.to;
          continue;
        }
        if (current.kind === 'set') {
          if (at >= codes.length || !current.set.has(codes[at]!)) break;
          at++;
        } else if (current.kind === 'save') own = withSlots(own, current.slot, at);
        else if (current.kind === 'place') {
          if (!isPlace(current.place, codes, at)) break;
        } else if (current.kind === 'again') {
          const [from, to] = [own[2 * current.number]!, own[2 * current.number + 1]!];
          if (to < 0 || from < 0) break;
          let i = from;
          while (i < to && codes[at + i - from] === codes[i]) i++;
          allowed -= i - from;
          if (i < to) break;
          at += to - from;
        } else {
          const from = current.width === undefined ? at : at - current.width;
          const found =
            from < 0
              ? undefined
              : walk(current.program, codes, from, own, current.width === undefined ? undefined : at);
          if ((found === undefined) !== current.isNegative) break;
          if (found !== undefined) own = withSlots(withSlots(found, 0, own[0]!), 1, own[1]!);
        }
        step++;
      }
    }
    return undefined;
  }
}

function withSlots(slots: readonly number[], slot: number, value: number): number[] {
  const copy = slots.slice();
  copy[slot] = value;
  return copy;
}

function isPlace(place: (PatternNode & { kind: 'place' })['place'], codes: readonly number[], at: number): boolean {
  if (place === 'start') return at === 0;
  if (place === 'end') return at === codes.length;
  if (place === 'lineEnd') return at === codes.length || (at === codes.length - 1 && codes[at] === 10);
  const isWord = (i: number): boolean => i >= 0 && i < codes.length && wordCharacters.has(codes[i]!);
  return (isWord(at - 1) !== isWord(at)) === (place === 'boundary');
}

/** How many characters a part matches. @throws PatternError where that differs: nothing of the kind can be looked for behind */
function widthOf(node: PatternNode): number {
  switch (node.kind) {
    case 'set':
      return 1;
    case 'place':
    case 'look':
      return 0;
    case 'group':
      return widthOf(node.part);
    case 'sequence':
      return node.parts.reduce((sum, part) => sum + widthOf(part), 0);
    case 'alternatives': {
      const widths = new Set(node.parts.map(widthOf));
      if (widths.size === 1) return [...widths][0]!;
      break;
    }
    case 'repeat':
      if (node.least === node.most) return node.least * widthOf(node.part);
      break;
    case 'again':
  }
  throw new PatternError('what it looks for behind ((?<=…) or (?<!…)) has no fixed length');
}
