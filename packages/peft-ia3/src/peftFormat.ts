import {
  matchPeftTensors,
  PEFT_PREFIX,
  storedBases,
  type Adapter,
  type AdapterFormat,
  type PeftFiles,
} from '@dropbp/core';
import { attachIa3, fileName } from './attachIa3.ts';
import { ia3Config, readIa3Config } from './ia3Config.ts';
import { ia3Layers } from './ia3Layers.ts';

/**
 * IA³ in PEFT's files. What it reads can be trained on. A value that would change what the adapter computes and is not
 * supported is refused by name, as are tensors that do not fit.
 */
export const peftFormat: AdapterFormat = {
  peftType: 'IA3',
  fromPeft,
  checkConfig: config => void readIa3Config(config),
};

function fromPeft({ config, tensors }: PeftFiles): Adapter {
  const { settings, startsAtOne, provenance } = readIa3Config(config);
  return {
    name: 'ia3',
    attach(model) {
      const found = ia3Layers(model, settings, false);
      const bases = storedBases(model);
      matchPeftTensors(tensors, {
        package: 'peft-ia3',
        expected: new Map(found.layers.map(layer => [fileName(layer), layer.shape])),
        optional: new Map(bases.map(({ key, weight }) => [PEFT_PREFIX + key, model.parameters.get(weight)!.shape])),
        bases: { configured: provenance.base_model_name_or_path, actual: model.source },
        explain: (_, got, expected) =>
          (got[0] === 1) !== (expected[0] === 1)
            ? `the file scales its ${got[0] === 1 ? 'inputs' : 'outputs'}, feedforward_modules says otherwise`
            : undefined,
      });
      return attachIa3(model, found.layers, {
        values: layer => tensors.get(fileName(layer))!.data,
        baseWeights: bases.flatMap(({ key, weight }) => {
          const array = tensors.get(PEFT_PREFIX + key);
          return array === undefined ? [] : [{ key, weight, array }];
        }),
        config: () => ia3Config(model, found, settings.excludeModules, startsAtOne, provenance),
      });
    },
  };
}
