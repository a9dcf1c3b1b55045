import { problem, seededRandom } from '@dropbp/basics';
import type { Adapter, Model } from '@dropbp/core';
import { attachLora } from './layer/attachLora.ts';
import { initialBias, initialValues, type LoraValues } from './init/initialValues.ts';
import { loraConfig } from './files/loraConfig.ts';
import { readOptions, type LoraOptions, type CheckedOptions } from './plan/loraOptions.ts';
import { loraPlan, matrixNames, type LoraPlan } from './plan/loraPlan.ts';
import { LORA_BIAS } from './plan/names.ts';
import { isPrincipal, principalValues } from './init/principalValues.ts';

/**
 * LoRA: trains a low-rank change `ΔW = scaling · B · A` of linear layers and embeddings and keeps the layers themselves.
 * Its files are those of Hugging Face PEFT.
 *
 * @throws Problem on options that are unknown, out of range or not supported; when attached, on targets that the model has not,
 *   and on an adapter that must be prepared first
 *
 * Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021, and PEFT 0.21.
 *
 * @example
 * ```ts
 * const tuned = compose(model, lora({ rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'] }));
 * ```
 */
export function lora(options: LoraOptions): Adapter {
  const settled = readOptions(options);
  const { settings, initialization, seed } = settled;
  if (!isPrincipal(initialization)) {
    return { name: 'lora', attach: model => attachFresh(model, loraPlan(model, settings, true), settled) };
  }
  return {
    name: 'lora',
    attach() {
      throw notPreparedProblem(initialization);
    },
    async prepare(model) {
      const plan = loraPlan(model, settings, true);
      const taken = await principalValues(model, plan.layers, initialization, seed);
      return attachPrepared(model, () => attachFresh(model, plan, settled, taken));
    },
  };
}

/** An adapter that fits one model alone. */
export function attachPrepared(model: Model, attach: () => ReturnType<Adapter['attach']>): Adapter {
  return {
    name: 'lora',
    attach(other) {
      if (other === model) return attach();
      throw problem('peft-lora', {
        what: 'the adapter was prepared for another model than it is attached to',
        fix: 'prepare it for this model: await composeAsync(model, { adapter })',
      });
    },
  };
}

/** @param initialization - as PEFT calls it */
export function notPreparedProblem(initialization: string): Error {
  return problem('peft-lora', {
    what: `initialization '${initialization}' starts from the weights of the model, which are not read yet`,
    fix: 'await composeAsync(model, { adapter }) in place of compose(model, { adapter })',
  });
}

function attachFresh(
  model: Model,
  plan: LoraPlan,
  { settings, initialization, seed, provenance }: CheckedOptions,
  taken: ReadonlyMap<string, LoraValues> = new Map(),
): ReturnType<Adapter['attach']> {
  const random = seededRandom(seed);
  const values = new Map<string, Float32Array>();
  for (const layer of plan.layers) {
    const { a, b } = matrixNames(layer.kind);
    const first = taken.get(layer.module) ?? initialValues(layer, initialization, random);
    values.set(`${layer.module}.${a}`, first.a);
    values.set(`${layer.module}.${b}`, first.b);
    if (settings.loraBias) {
      values.set(`${layer.module}.${LORA_BIAS}`, initialBias(layer, initialization, random));
    }
  }
  const stored = initialization === 'default' || isPrincipal(initialization) ? true : initialization;
  return attachLora(model, plan, {
    values,
    taken,
    config: converted => loraConfig(model, plan, converted, stored, provenance),
  });
}
