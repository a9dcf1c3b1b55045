import { bytesPerNumber } from '@dropbp/compose';
import { weightForm, type Model } from '@dropbp/core';
import type { WeightsForm } from '@dropbp/models';
import { weightsForms } from '../run/openModel.ts';

/** Bytes of a model's weights in memory, in each form that `--weights` can give them. */
export function formMemory(model: Model): Readonly<Record<WeightsForm, number>> {
  const bytes = weightsForms.map(form => {
    const all = [...model.parameters].map(([name, tensor]) => {
      const isPackable = isLinear(model, name);
      return tensor.size * bytesPerNumber[isPackable ? form : weightForm(tensor)];
    });
    return [form, Math.round(all.reduce((sum, size) => sum + size, 0))] as const;
  });
  return Object.fromEntries(bytes) as Record<WeightsForm, number>;
}

/** Whether a weight is one of those that are packed: of a linear layer that is not the head. */
function isLinear({ modules, head }: Model, name: string): boolean {
  const at = name.lastIndexOf('.');
  const path = name.slice(0, at);
  const kind = modules.get(path)?.kind;
  return name.slice(at) === '.weight' && path !== head.path && (kind === 'linear' || kind === 'conv1d');
}

/** Whether a form can be trained with: packed weights are frozen. */
export function canTrain(form: WeightsForm, model: Model, trained: ReadonlyMap<string, unknown>): boolean {
  return form === 'f32' || ![...trained.keys()].some(name => model.parameters.has(name) && isLinear(model, name));
}
