import type { ModuleInfo } from '@dropbp/core';
import type { Definition } from '../architectures/architecture.ts';

/** The shape of every weight by name, in the order of the modules. A tied head has no weight of its own. */
export function parameterShapes({ modules, head }: Definition): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const [path, module] of modules) {
    const isTied = path === head.path && head.weight !== `${path}.weight`;
    if (!isTied) shapes.set(`${path}.weight`, weightShape(module));
    if (module.hasBias) shapes.set(`${path}.bias`, [module.outFeatures]);
  }
  return shapes;
}

function weightShape({ kind, inFeatures, outFeatures }: ModuleInfo): readonly number[] {
  switch (kind) {
    case 'linear':
      return [outFeatures, inFeatures];
    case 'conv1d':
    case 'embedding':
      return [inFeatures, outFeatures];
    case 'norm':
      return [outFeatures];
  }
}
