import { findTokenHead, type ModuleInfo } from '@dropbp/core';
import type { Definition } from '../architectures/architecture.ts';

/** The shape of every weight by name, in the order of the modules. A tied head has no weight of its own. */
export function parameterShapes(definition: Definition): ReadonlyMap<string, readonly number[]> {
  const head = findTokenHead(definition);
  const shapes = new Map<string, readonly number[]>();
  for (const [path, module] of definition.modules) {
    if (module.experts !== undefined) {
      for (const [name, shape] of Object.entries(module.experts.parameters)) shapes.set(`${path}.${name}`, shape);
      continue;
    }
    const isTied = path === head?.path && head.weight !== `${path}.weight`;
    if (!isTied) shapes.set(`${path}.weight`, weightShape(module));
    if (module.hasBias) shapes.set(`${path}.bias`, [module.outFeatures]);
  }
  return shapes;
}

function weightShape({ kind, inFeatures, outFeatures }: ModuleInfo): readonly number[] {
  switch (kind) {
    case 'linear':
    case 'router':
      return [outFeatures, inFeatures];
    case 'conv1d':
    case 'embedding':
      return [inFeatures, outFeatures];
    case 'norm':
      return [outFeatures];
    case 'experts':
      return []; // each parameter has a shape of its own
  }
}
