import { nearNames, problem } from '@dropbp/basics';
import type { ModuleInfo } from '../contract/model.ts';
import { endsWithName, layerIndex, matches, matchesTarget, type TargetRules } from './matchesTarget.ts';

/** Options of {@link selectModules}. */
export interface SelectOptions {
  /** The package that speaks in errors. */
  readonly package: string;
  /** Kinds of module that the method can adapt. */
  readonly kinds: readonly ModuleInfo['kind'][];
  /**
   * Whether every part of the rules must have an effect. PEFT does not ask for it, so for its files it must be false.
   * @defaultValue true
   */
  readonly complete?: boolean;
}

/**
 * The modules that the rules name, in the model's order. `'all-linear'` stands for every linear layer but the output.
 *
 * @throws Problem if nothing matches, if a part of the rules matches nothing, or a module is of another kind
 */
export function selectModules(
  modules: ReadonlyMap<string, ModuleInfo>,
  rules: TargetRules,
  { package: packageName, kinds, complete = true }: SelectOptions,
): string[] {
  checkRules(packageName, rules);
  const names = [...modules.keys()];
  const concrete = isAllLinear(rules.targetModules) ? { ...rules, targetModules: allLinear(modules) } : rules;
  const selected = names.filter(name => matchesTarget(packageName, name, concrete));
  if (selected.length === 0) throw noMatchProblem(packageName, names, concrete, complete);
  for (const name of selected) {
    const { kind } = modules.get(name)!;
    if (kinds.includes(kind)) continue;
    throw problem(packageName, {
      what: `targetModules names '${name}', which is of kind ${kind}`,
      expected: `modules of kind ${kinds.join(' or ')}`,
      fix: 'name it in excludeModules, or write targetModules more exactly',
    });
  }
  if (complete) checkComplete(packageName, names, concrete);
  return selected;
}

/** Whether the targets are `'all-linear'`, in any case as in PEFT. */
export function isAllLinear(targetModules: TargetRules['targetModules']): boolean {
  return typeof targetModules === 'string' && targetModules.toLowerCase() === 'all-linear';
}

function allLinear(modules: ReadonlyMap<string, ModuleInfo>): string[] {
  return [...modules]
    .filter(([, { kind, isOutput }]) => (kind === 'linear' || kind === 'conv1d') && isOutput !== true)
    .map(([name]) => name);
}

function checkRules(packageName: string, { targetModules, layersToTransform, layersPattern }: TargetRules): void {
  if (typeof targetModules === 'string' && (layersToTransform !== undefined || layersPattern !== undefined)) {
    throw problem(packageName, {
      what: 'layersToTransform and layersPattern have no effect where targetModules is a string',
      got: targetModules,
      fix: isAllLinear(targetModules)
        ? 'give targetModules as a list of names'
        : 'give targetModules as a list of names, or put the layers into the expression',
    });
  }
  if (layersPattern !== undefined && layersPattern.length > 0 && layersToTransform === undefined) {
    throw problem(packageName, { what: 'layersPattern has no effect without layersToTransform', got: layersPattern });
  }
}

function noMatchProblem(packageName: string, names: readonly string[], rules: TargetRules, complete: boolean): Error {
  const { targetModules } = rules;
  const matched = names.filter(name => matches(packageName, 'targetModules', name, targetModules));
  if (matched.length > 0) {
    const excluded = rules.excludeModules ?? rules.modulesToSave;
    return problem(packageName, {
      what: `targetModules matches ${matched.length} modules, but the other rules leave none of them`,
      got: {
        ...(excluded !== undefined && { excludeModules: excluded }),
        ...(rules.layersToTransform !== undefined && { layersToTransform: rules.layersToTransform }),
        ...(rules.layersPattern !== undefined && { layersPattern: rules.layersPattern }),
      },
      fix: `such modules are ${matched.slice(0, 3).join(', ')}`,
    });
  }
  if (!complete) {
    return problem(packageName, {
      what: 'the adapter does not fit the model: its target_modules name none of the modules there',
      got: targetModules,
      expected: `modules such as ${[...new Set(names.map(lastPart))].slice(0, 5).join(', ')}`,
      fix: 'use the model that it was made for: base_model_name_or_path in adapter_config.json names it',
    });
  }
  if (typeof targetModules !== 'string') return unmatchedProblem(packageName, names, targetModules, names.length);
  const plain = names.some(name => endsWithName(name, targetModules));
  return problem(packageName, {
    what: 'targetModules matches no module of the model',
    got: targetModules,
    expected: 'a string to be a regular expression that matches whole module names',
    fix: plain ? `did you mean ['${targetModules}']?` : `module names are such as ${names.slice(0, 3).join(', ')}`,
  });
}

/** The error for list entries that match no module. */
function unmatchedProblem(
  packageName: string,
  names: readonly string[],
  entries: readonly string[],
  count: number,
): Error {
  if (entries.length === 0) {
    return problem(packageName, { what: 'targetModules is empty', expected: 'names of modules, or ends of names' });
  }
  const ends = new Set(names.flatMap(name => [name, lastPart(name)]));
  const hints = entries.flatMap(entry => {
    if (/[*+?^$|()[\]{}\\]/.test(entry))
      return ['entries of a list are ends of names, a regular expression is a string'];
    const below = names.filter(name => `.${name}`.includes(`.${entry}.`));
    if (below.length > 0) {
      const layers = new Set(below.map(lastPart));
      return [`'${entry}' holds modules, so name them: ${[...layers].slice(0, 5).join(', ')}`];
    }
    const near = nearNames(entry, ends);
    return near.length === 0 ? [] : [`for '${entry}' did you mean ${near.map(name => `'${name}'`).join(' or ')}?`];
  });
  const fix =
    hints.length > 0 ? [...new Set(hints)].join(' ') : `modules are such as ${[...ends].slice(0, 5).join(', ')}`;
  return problem(packageName, {
    what: `targetModules: ${entries.map(entry => `'${entry}'`).join(', ')} matches none of the ${count} modules`,
    fix,
  });
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

function checkComplete(packageName: string, names: readonly string[], rules: TargetRules): void {
  const { targetModules, excludeModules, layersToTransform, layersPattern } = rules;
  const idle = (list: readonly string[]): string[] =>
    list.filter(entry => !names.some(name => endsWithName(name, entry)));
  if (typeof targetModules !== 'string') {
    const entries = idle(targetModules);
    if (entries.length > 0) throw unmatchedProblem(packageName, names, entries, names.length);
  }
  if (excludeModules !== undefined) {
    const targets = names.filter(name => matches(packageName, 'targetModules', name, targetModules));
    const entries = typeof excludeModules === 'string' ? [excludeModules] : excludeModules;
    const without = entries.filter(entry => {
      const rule = typeof excludeModules === 'string' ? entry : [entry];
      return !targets.some(name => matches(packageName, 'excludeModules', name, rule));
    });
    if (without.length > 0) {
      throw problem(packageName, {
        what: 'excludeModules excludes nothing that targetModules names',
        got: without,
        fix: 'leave it out, or write it as the module is called',
      });
    }
  }
  if (layersToTransform !== undefined) {
    const layers = new Set(names.map(name => layerIndex(packageName, name, layersPattern)));
    const missing = [layersToTransform].flat().filter(layer => !layers.has(layer));
    if (missing.length > 0) {
      const known = [...layers].filter(layer => layer !== undefined);
      throw problem(packageName, {
        what: 'layersToTransform names layers that the model has not',
        got: missing,
        expected:
          known.length === 0
            ? 'modules with a layer number in their names'
            : `${known.reduce((x, y) => Math.min(x, y))} to ${known.reduce((x, y) => Math.max(x, y))}`,
      });
    }
  }
}
