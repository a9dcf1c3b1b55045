import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';

/** What PEFT adapts where a configuration does not say, by `model_type`. Source: PEFT 0.21.2, `utils/constants.py`. */
export const chosenTargets: Readonly<Record<string, readonly string[]>> = {
  bert: ['query', 'value'],
  gemma2: ['q_proj', 'v_proj'],
  gemma3_text: ['q_proj', 'v_proj'],
  gpt2: ['c_attn'],
  gpt_neox: ['query_key_value'],
  llama: ['q_proj', 'v_proj'],
  mistral: ['q_proj', 'v_proj'],
  mixtral: ['q_proj', 'v_proj'],
  qwen2: ['q_proj', 'v_proj'],
  qwen3: ['q_proj', 'v_proj'],
  stablelm: ['q_proj', 'v_proj'],
};

/** PEFT's targets for a model. @throws Problem where it has none */
export function defaultTargets({ architecture }: Pick<Model, 'architecture'>): readonly string[] {
  const targets = Object.hasOwn(chosenTargets, architecture) ? chosenTargets[architecture] : undefined;
  if (targets !== undefined) return targets;
  throw problem('peft-lora', {
    what: `target_modules in adapter_config.json is null, and PEFT has no choice of its own for the architecture '${architecture}'`,
    expected: 'the names of the adapted modules',
  });
}
