import { nearNames, problem } from '@dropbp/basics';
import type { Model } from '../contract/model.ts';
import { ownHeadWeight } from '../run/head/headLogits.ts';
import { findTokenHead } from '../run/head/tokenHead.ts';

/**
 * The weights of the modules that PEFT's `modules_to_save` names, in the model's order: an entry names every module whose path
 * ends so, blocks of modules included. A head that is tied to the embedding gives the name of a weight of its own.
 *
 * @param packageName - the package that speaks in errors
 * @param complete - whether every entry must name a module. PEFT does not ask for it, and its files hold names of other models
 * @throws Problem for an entry that names nothing, or a module inside another that is named
 */
export function savedWeights(
  packageName: string,
  model: Model,
  entries: readonly string[],
  complete: boolean,
): string[] {
  const weights = [...model.parameters.keys()];
  const head = findTokenHead(model);
  if (head !== undefined && !weights.includes(ownHeadWeight(head))) weights.push(ownHeadWeight(head));
  const paths = new Set(weights.flatMap(parentsOf));
  const modules = [...paths].filter(path => entries.some(entry => path.endsWith(entry)));
  const idle = entries.filter(entry => !modules.some(path => path.endsWith(entry)));
  if (complete && idle.length > 0) throw noModuleProblem(packageName, idle, paths);
  for (const module of modules) {
    const outer = modules.find(other => module.startsWith(`${other}.`));
    if (outer === undefined) continue;
    throw problem(packageName, {
      what: `modulesToSave names '${module}', which is inside '${outer}', which it names too`,
      fix: 'leave one of them out',
    });
  }
  return weights.filter(weight => modules.some(module => weight.startsWith(`${module}.`)));
}

/** The modules that a weight is in: `'a.b.weight'` is in `'a'` and `'a.b'`. */
function parentsOf(weight: string): string[] {
  const parts = weight.split('.').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('.'));
}

function noModuleProblem(packageName: string, idle: readonly string[], paths: Iterable<string>): Error {
  const near = idle.flatMap(entry => nearNames(entry, new Set([...paths].map(path => path.split('.').at(-1)!)), 1));
  return problem(packageName, {
    what: `modulesToSave: ${idle.map(entry => `'${entry}'`).join(', ')} names no module of the model`,
    expected: 'paths of modules, or their ends',
    ...(near.length > 0 && { fix: `did you mean ${near.map(name => `'${name}'`).join(' or ')}?` }),
  });
}
