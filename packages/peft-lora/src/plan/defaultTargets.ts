import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';

/** What PEFT adapts where a configuration does not say, by `model_type`. Source: PEFT 0.21.2, `utils/constants.py`. */
const chosen: Readonly<Record<string, readonly string[]>> = {
  gpt2: ['c_attn'],
  gpt_neox: ['query_key_value'],
  llama: ['q_proj', 'v_proj'],
  mistral: ['q_proj', 'v_proj'],
  qwen2: ['q_proj', 'v_proj'],
  qwen3: ['q_proj', 'v_proj'],
};

/** PEFT's targets for a model. @throws Problem where it has none */
export function defaultTargets({ architecture }: Pick<Model, 'architecture'>): readonly string[] {
  const targets = Object.hasOwn(chosen, architecture) ? chosen[architecture] : undefined;
  if (targets !== undefined) return targets;
  throw problem('peft-lora', {
    what: `target_modules in adapter_config.json is null, and PEFT has no choice of its own for the architecture '${architecture}'`,
    expected: 'the names of the adapted modules',
  });
}
