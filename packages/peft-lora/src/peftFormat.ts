import { problem } from '@dropbp/basics';
import type { Adapter, AdapterFormat, NamedArray, PeftFiles } from '@dropbp/core';
import { attachLora } from './attachLora.ts';
import { countNonFinite } from './countNonFinite.ts';
import { loraConfig } from './loraConfig.ts';
import { loraLayers } from './loraLayers.ts';
import { matchTensors } from './matchTensors.ts';
import { LORA_A, LORA_B } from './names.ts';
import { readConfig } from './readConfig.ts';

/**
 * LoRA in PEFT's files. What it reads can be trained on. A value that would change what the adapter computes and is not
 * supported is refused by name, as are tensors that do not fit.
 */
export const peftFormat: AdapterFormat = { peftType: 'LORA', fromPeft };

function fromPeft({ config, tensors }: PeftFiles): Adapter {
  if (config.peft_type !== 'LORA') {
    throw problem('peft-lora', {
      what: 'this is no LoRA adapter',
      got: config.peft_type,
      expected: "peft_type 'LORA'",
    });
  }
  const { settings, initialization, provenance } = readConfig(config);
  checkTensors(tensors);
  return {
    name: 'lora',
    attach(model) {
      const layers = loraLayers(model, settings, false);
      const { adapter, base } = matchTensors(model, layers, tensors, config.base_model_name_or_path);
      return attachLora(model, layers, {
        dropout: settings.dropout,
        values: ({ module }) => ({
          a: adapter.get(`${module}.${LORA_A}`)!.data,
          b: adapter.get(`${module}.${LORA_B}`)!.data,
        }),
        baseWeights: base,
        config: () => loraConfig(model, layers, settings, initialization, provenance),
      });
    },
  };
}

function checkTensors(tensors: ReadonlyMap<string, NamedArray>): void {
  if (tensors.size === 0) {
    throw problem('peft-lora', {
      what: 'the adapter file holds no tensors',
      fix: 'save it again: with weights spread over devices they must be gathered first',
    });
  }
  for (const [name, { shape, data }] of tensors) {
    if (data.length === 0) {
      throw problem('peft-lora', {
        what: `'${name}' is empty`,
        got: shape,
        fix: 'save it again: with weights spread over devices they must be gathered first',
      });
    }
    const bad = countNonFinite(data);
    if (bad > 0) {
      throw problem('peft-lora', { what: `${bad} of the ${data.length} values of '${name}' are NaN or infinite` });
    }
  }
}
