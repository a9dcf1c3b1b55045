import { pythonPattern } from './pythonPattern.ts';

/** Which modules an adapter goes to, in PEFT's terms. */
export interface TargetRules {
  /** List: names, or the ends of names at a dot. String: a regular expression that the whole name matches. */
  readonly targetModules: string | readonly string[];
  /** The same for modules that are left out. @defaultValue none */
  readonly excludeModules?: string | readonly string[] | undefined;
  /** Only these layers, where `targetModules` is a list. @defaultValue all */
  readonly layersToTransform?: number | readonly number[] | undefined;
  /** The name before a layer's number: `'layers'`, `'h'`. A regular expression. @defaultValue any */
  readonly layersPattern?: string | readonly string[] | undefined;
  /** Modules that are trained whole; neither they nor what is below them is adapted. @defaultValue none */
  readonly modulesToSave?: readonly string[] | undefined;
}

/**
 * Whether the rules adapt the module of this name. All of it follows PEFT: a list entry that equals the whole name knows
 * no layers; among several patterns the first that matches counts, and the first number behind it.
 *
 * @param packageName - the package that speaks in errors
 * @throws Problem for a string that is no regular expression
 */
export function matchesTarget(packageName: string, name: string, rules: TargetRules): boolean {
  const { targetModules, excludeModules, modulesToSave = [] } = rules;
  if (excludeModules !== undefined && matches(packageName, 'excludeModules', name, excludeModules)) return false;
  if (modulesToSave.some(entry => savesModule(packageName, entry, name))) return false;
  if (!matches(packageName, 'targetModules', name, targetModules)) return false;
  return typeof targetModules === 'string' || targetModules.includes(name) || isInLayers(packageName, name, rules);
}

/** Whether a list has the name or an end of it, or a string matches all of it. */
export function matches(packageName: string, subject: string, name: string, rule: string | readonly string[]): boolean {
  return typeof rule === 'string'
    ? pythonPattern(packageName, subject, rule).matchesWhole(name)
    : rule.some(entry => endsWithName(name, entry));
}

/** Whether the name is `end` or ends in `.end`. */
export function endsWithName(name: string, end: string): boolean {
  return name === end || name.endsWith(`.${end}`);
}

function savesModule(packageName: string, entry: string, name: string): boolean {
  return (
    pythonPattern(packageName, 'modulesToSave', entry, source => `(^|.*\\.)${source}($|\\..*)`).match(name) !==
    undefined
  );
}

function isInLayers(packageName: string, name: string, rules: TargetRules): boolean {
  const { layersToTransform } = rules;
  if (layersToTransform === undefined) return true;
  const wanted = typeof layersToTransform === 'number' ? [layersToTransform] : layersToTransform;
  if (wanted.length === 0) return true;
  const index = layerIndex(packageName, name, rules.layersPattern);
  return index !== undefined && wanted.includes(index);
}

/** The number of the layer that a module is in; undefined where its name shows none. */
export function layerIndex(
  packageName: string,
  name: string,
  pattern: TargetRules['layersPattern'] = [],
): number | undefined {
  const patterns = (typeof pattern === 'string' ? [pattern] : pattern).filter(p => p !== '');
  const frames: readonly ((source: string) => string)[] =
    patterns.length === 0
      ? [() => String.raw`.*?\.[^.]*\.(\d+)\.`]
      : patterns.map(() => (source: string) => String.raw`(?:^|.*?\.)${source}\.(\d+)\.`);
  for (const [i, frame] of frames.entries()) {
    const found = pythonPattern(packageName, 'layersPattern', patterns[i] ?? '', frame).match(name);
    if (found === undefined) continue;
    // The number is the last group, whatever groups a pattern brings; without it the pattern matched by another alternative.
    const number = found.at(-1);
    return number === undefined ? undefined : Number(number);
  }
  return undefined;
}
