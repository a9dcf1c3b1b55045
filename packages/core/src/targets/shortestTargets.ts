import { endsWithName } from './matchesTarget.ts';

/**
 * The shortest list of name ends that matches exactly these modules: what stands in a file for `'all-linear'`.
 *
 * @param targets - names of modules
 * @param modules - all module names of the model
 * @returns sorted
 */
export function shortestTargets(targets: readonly string[], modules: Iterable<string>): string[] {
  const wanted = new Set(targets);
  const others = new Set<string>();
  for (const name of modules) {
    // A block may end like a layer, and PEFT looks at blocks too.
    for (let end = name.length; end > 0; end = name.lastIndexOf('.', end - 1)) others.add(name.slice(0, end));
  }
  for (const name of wanted) others.delete(name);
  const ends = new Set<string>();
  for (const name of targets) {
    if ([...ends].some(end => endsWithName(name, end))) continue;
    const parts = name.split('.');
    const candidates = parts.map((_, i) => parts.slice(parts.length - 1 - i).join('.'));
    ends.add(candidates.find(end => ![...others].some(other => endsWithName(other, end))) ?? name);
  }
  return [...ends].sort();
}
