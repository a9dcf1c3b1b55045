import * as tf from '@tensorflow/tfjs';
import { disposeOnce, matchPeftTensors, selectModules, toNamedArrays } from '@dropbp/core';
import type { Adapter, AdapterFormat, Attachment, Hooks, Model, NamedArray } from '@dropbp/core';

/** Module names or their ends, a regular expression, or `'all-linear'`. */
type Targets = string | readonly string[];

/**
 * SSF: trains a factor and an addend for each output of some linear layers.
 * Source: Lian et al., "Scaling & Shifting Your Features", 2022.
 */
export const ssf = (targetModules: Targets): Adapter => ({
  name: 'ssf',
  attach: model => attach(model, targetModules, new Map()),
});

/** SSF in an adapter's two files. */
export const ssfFormat: AdapterFormat = {
  peftType: 'SSF',
  fromPeft: ({ config, tensors }) => ({
    name: 'ssf',
    attach: model => attach(model, config.target_modules as Targets, tensors),
  }),
};

// Called in every linear layer. The scope says whether this one is adapted, and by what.
const hooks: Hooks = {
  linear(name, x, base, p) {
    const [factor, addend] = [p[`${name}.ssf_scale`], p[`${name}.ssf_shift`]];
    return factor && addend ? tf.add(tf.mul(base(x), factor), addend) : base(x);
  },
};

function attach(model: Model, targetModules: Targets, stored: ReadonlyMap<string, NamedArray>): Attachment {
  const names = selectModules(model.modules, { targetModules }, { package: 'ssf', kinds: ['linear', 'conv1d'] });
  const shapeOf = (name: string): number[] => [model.modules.get(name)!.outFeatures];
  const shapes = new Map(names.flatMap(name => ['scale', 'shift'].map(part => [`${name}.ssf_${part}`, shapeOf(name)] as const))); // prettier-ignore
  const bases = { configured: undefined, actual: model.source };
  if (stored.size > 0) matchPeftTensors(stored, { package: 'ssf', expected: shapes, bases });
  const first = (key: string, shape: number[]): tf.Tensor =>
    stored.has(key) ? tf.tensor(stored.get(key)!.data, shape) : tf.fill(shape, key.endsWith('ssf_scale') ? 1 : 0);
  const variables = [...shapes].map(([key, shape]): [string, tf.Variable] => [key, tf.tidy(() => tf.variable(first(key, shape)))]); // prettier-ignore
  const parameters = new Map(variables);
  return {
    parameters,
    constants: new Map(),
    hooks,
    adaptedModules: new Set(names),
    toPeft: async () => ({
      config: { peft_type: 'SSF', target_modules: targetModules },
      tensors: await toNamedArrays('ssf', parameters),
    }),
    dispose: () => disposeOnce(parameters.values()),
  };
}
