import { readFileSync } from 'node:fs';
import { Problem } from '@dropbp/basics';
import { matchesTarget, patternValue } from '@dropbp/core';
import { describe, expect, it } from 'vitest';

interface PatternCase {
  readonly pattern: string;
  readonly error?: string;
  readonly whole: readonly boolean[];
  readonly key: readonly boolean[];
  readonly save: readonly boolean[];
  readonly layers: readonly (string | number | null)[];
}

/** What pattern_cases.py wrote. */
const { names, cases } = JSON.parse(
  readFileSync(new URL('../.cache/patterns/cases.json', import.meta.url), 'utf8'),
) as { readonly names: readonly string[]; readonly cases: readonly PatternCase[] };

const layers = [0, 1, 2, 3, 10, 11];
const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1);

/** What the library says of one expression; undefined where it refuses it. */
function ask(pattern: string): Omit<PatternCase, 'pattern'> | undefined {
  try {
    return {
      whole: names.map(name => matchesTarget('core', name, { targetModules: pattern })),
      key: names.map(name => patternValue('core', 'rankPattern', { [pattern]: 1 }, name) !== undefined),
      save: names.map(name => !matchesTarget('core', name, { targetModules: '(?:.|\\n)*', modulesToSave: [pattern] })),
      layers: names.map(name => {
        const found = layers.find(layer => matchesTarget('core', name, { targetModules: [lastPart(name)], layersToTransform: layer, layersPattern: [pattern] })); // prettier-ignore
        return found ?? null;
      }),
    };
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

describe('regular expressions of adapters', () => {
  it("match what Python's re matches, or are refused", () => {
    let [accepted, equal] = [0, 0];
    for (const { pattern, error, whole, key, save, layers } of cases) {
      const ours = ask(pattern);
      if (error === undefined) accepted++;
      if (ours === undefined) continue;
      expect({ pattern, error }).toEqual({ pattern, error: undefined });
      // A name without a dot is a target as a whole, which knows no layers; beside it PEFT reads the number as an int.
      const numbers = layers.map((layer, i) =>
        names[i] === lastPart(names[i]!) ? 0 : layer === null ? null : Number(layer),
      );
      expect({ pattern, ...ours }).toEqual({ pattern, whole, key, save, layers: numbers });
      equal++;
    }
    expect(equal / accepted).toBeGreaterThan(0.9);
  });
});
