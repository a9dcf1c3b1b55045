import { problem } from '@dropbp/basics';
import {
  checkPeftTensors,
  type Adapter,
  type AdapterFormat,
  type Attachment,
  type Model,
  type PeftFiles,
} from '@dropbp/core';
import { attachLora } from '../layer/attachLora.ts';
import { defaultTargets } from '../plan/defaultTargets.ts';
import type { LoraValues } from '../init/initialValues.ts';
import { notPreparedProblem, attachPrepared } from '../lora.ts';
import { loraConfig } from './loraConfig.ts';
import { loraPlan, type LoraPlan } from '../plan/loraPlan.ts';
import { matchTensors } from './matchTensors.ts';
import { principalValues } from '../init/principalValues.ts';
import { isRepeatable, readConfig } from './readConfig.ts';

/**
 * LoRA in PEFT's files. What it reads can be trained on. A value that would change what the adapter computes and is not
 * supported is refused by name, as are tensors that do not fit.
 */
export const peftFormat: AdapterFormat = {
  peftType: 'LORA',
  fromPeft,
  checkConfig: config => void readConfig(config),
};

function fromPeft({ config, tensors }: PeftFiles): Adapter {
  const { settings, rules, initialization, provenance } = readConfig(config);
  checkPeftTensors('peft-lora', tensors);
  const planFor = (model: Model): LoraPlan => {
    const targetModules = rules.targetModules ?? defaultTargets(model);
    return loraPlan(model, { ...settings, rules: { ...rules, targetModules } }, false);
  };
  const attach = (model: Model, plan: LoraPlan, taken?: ReadonlyMap<string, LoraValues>): Attachment => {
    const { values, base } = matchTensors(model, plan, tensors, config.base_model_name_or_path);
    return attachLora(model, plan, {
      values,
      ...(taken !== undefined && { taken }),
      // What PEFT stored of a layer that A and B were taken out of is what was left of it.
      baseWeights: base.filter(({ key }) => !taken?.has(key.replace(/(\.base_layer)?\.weight$/, ''))),
      config: converted => loraConfig(model, plan, converted, taken === undefined ? initialization : true, provenance),
    });
  };
  if (!isRepeatable(initialization)) return { name: 'lora', attach: model => attach(model, planFor(model)) };
  return {
    name: 'lora',
    attach() {
      throw notPreparedProblem(initialization);
    },
    async prepare(model) {
      const plan = planFor(model);
      checkRepeated(plan, initialization);
      // Before a weight is decomposed at the ranks that the configuration claims.
      matchTensors(model, plan, tensors, config.base_model_name_or_path);
      const taken = await principalValues(model, plan.layers, initialization, 0);
      return attachPrepared(model, () => attach(model, plan, taken));
    },
  };
}

function checkRepeated({ layers }: LoraPlan, initialization: string): void {
  const conv1d = layers.find(({ kind }) => kind === 'conv1d');
  if (initialization !== 'olora' || conv1d === undefined) return;
  throw problem('peft-lora', {
    what: `the adapter was made with init_lora_weights "olora", and '${conv1d.module}' is a Conv1D: PEFT takes its A and B from the transposed weight, so that the layer computes something else`,
    fix: 'train it again with another init_lora_weights',
  });
}
