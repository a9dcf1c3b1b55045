import { checkNumber, checkOptions, problem, ranges, seededRandom } from '@dropbp/basics';
import {
  matchPeftTensors,
  PEFT_PREFIX,
  peftConfigReader,
  peftValues,
  writePeftConfig,
  type Adapter,
  type AdapterFormat,
  type Model,
  type PeftConfigRules,
  type PeftFiles,
  type Provenance,
} from '@dropbp/core';
import { attachLlamaAdapter, GATE, PROMPT } from './attachLlamaAdapter.ts';
import { attentionsOf, type AttentionBranch } from '../attentions.ts';
import { normalValues } from '../variable.ts';

/** What {@link llamaAdapter} takes. */
export interface LlamaAdapterOptions {
  /** How many virtual tokens each adapted layer has. */
  readonly adapterLen: number;
  /** How many layers are adapted, from the top. */
  readonly adapterLayers: number;
  /** Seed of the first values, an integer. @defaultValue 0 */
  readonly seed?: number;
}

/** PEFT's `AdaptionPromptConfig`. Source: PEFT 0.21.2, `tuners/adaption_prompt/config.py`. */
const rules: PeftConfigRules = {
  package: 'peft-prefix',
  peftType: 'ADAPTION_PROMPT',
  defaults: { adapter_layers: null, adapter_len: null, target_modules: null },
  known: ['adapter_layers', 'adapter_len', 'target_modules'],
  unsupported: {},
};

/**
 * LLaMA-Adapter (PEFT's adaption prompt): the upper attention branches look at virtual tokens of their own besides, and what
 * they find there is added through a gate, which starts at zero, so that nothing changes at first.
 *
 * @throws Problem on options that are unknown or out of range; when attached, on more layers than the model has
 *
 * Source: Zhang et al., "LLaMA-Adapter: Efficient Fine-tuning of Language Models with Zero-init Attention", 2023, and PEFT
 * 0.21, which knows the method for `llama`, `mistral` and `gpt2`.
 *
 * @example
 * ```ts
 * const tuned = compose(model, llamaAdapter({ adapterLen: 10, adapterLayers: 30 }));
 * ```
 */
export function llamaAdapter(options: LlamaAdapterOptions): Adapter {
  checkOptions('peft-prefix', 'llamaAdapter()', options, ['adapterLen', 'adapterLayers', 'seed']);
  const { adapterLen, adapterLayers, seed = 0 } = options;
  checkNumber('peft-prefix', 'adapterLen', adapterLen, ranges.count, 'start with 10');
  checkNumber('peft-prefix', 'adapterLayers', adapterLayers, ranges.count, 'start with nearly all layers');
  checkNumber('peft-prefix', 'seed', seed, ranges.integer);
  return {
    name: 'LLaMA-Adapter',
    attach(model) {
      const attentions = upperAttentions(model, adapterLayers);
      const random = seededRandom(seed);
      return attachLlamaAdapter(model, {
        attentions,
        adapterLen,
        values: () => ({ prompt: normalValues(adapterLen * model.hiddenSize, random), gate: new Float32Array(1) }),
        config: () => configOf(model, attentions, adapterLen),
      });
    },
  };
}

/** LLaMA-Adapter in PEFT's files. What it reads can be trained on. */
export const llamaAdapterFormat: AdapterFormat = {
  peftType: 'ADAPTION_PROMPT',
  checkConfig: config => void readConfig(config),
  fromPeft({ config, tensors }) {
    const { adapterLen, adapterLayers, target, provenance } = readConfig(config);
    return {
      name: 'LLaMA-Adapter',
      attach(model) {
        const attentions = upperAttentions(model, adapterLayers);
        checkTarget(target, attentions);
        const keys = ({ path }: AttentionBranch): [string, string] => [
          `${PEFT_PREFIX}${path}.${PROMPT}`,
          `${PEFT_PREFIX}${path}.${GATE}`,
        ];
        matchPeftTensors(tensors, {
          package: 'peft-prefix',
          expected: new Map(
            attentions.map(keys).flatMap(([prompt, gate]): [string, number[]][] => [
              [prompt, [1, adapterLen, model.hiddenSize]],
              [gate, [1]],
            ]),
          ),
          bases: { configured: provenance.base_model_name_or_path, actual: model.source },
        });
        return attachLlamaAdapter(model, {
          attentions,
          adapterLen,
          values(branch) {
            const [prompt, gate] = keys(branch);
            return { prompt: tensors.get(prompt)!.data, gate: tensors.get(gate)!.data };
          },
          config: () => configOf(model, attentions, adapterLen, provenance),
        });
      },
    };
  },
};

function readConfig(config: PeftFiles['config']) {
  const reader = peftConfigReader(config, rules);
  return {
    adapterLen: reader.read('adapter_len', peftValues.count, 'an integer ≥ 1'),
    adapterLayers: reader.read('adapter_layers', peftValues.count, 'an integer ≥ 1'),
    target: reader.optional('target_modules', peftValues.text, "the attention module's name"),
    provenance: reader.provenance,
  };
}

function upperAttentions(model: Model, count: number): readonly AttentionBranch[] {
  const attentions = attentionsOf(model);
  if (count <= attentions.length) return attentions.slice(attentions.length - count);
  throw problem('peft-prefix', {
    what: 'adapterLayers is more than the model has',
    got: count,
    expected: `at most ${attentions.length}`,
  });
}

/** `'self_attn'` of `'model.layers.3.self_attn'`: what PEFT calls the target. */
function moduleName({ path }: AttentionBranch): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

function checkTarget(target: string | undefined, attentions: readonly AttentionBranch[]): void {
  const name = moduleName(attentions[0]!);
  if (target === undefined || target === name) return;
  throw problem('peft-prefix', {
    what: "target_modules in adapter_config.json is not the model's attention",
    got: target,
    expected: `'${name}'`,
  });
}

function configOf(
  model: Model,
  attentions: readonly AttentionBranch[],
  adapterLen: number,
  provenance?: Provenance,
): PeftFiles['config'] {
  const own = {
    adapter_layers: attentions.length,
    adapter_len: adapterLen,
    target_modules: moduleName(attentions[0]!),
  };
  return writePeftConfig(model, rules, own, provenance);
}
