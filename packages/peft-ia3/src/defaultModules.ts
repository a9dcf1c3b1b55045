import { problem } from '@dropbp/basics';
import type { ModuleNames } from './ia3Layers.ts';

/** What PEFT adapts where nothing is said, by `model_type`. Source: PEFT 0.21.2, `utils/constants.py`. */
export const chosenModules: Readonly<
  Record<string, { readonly targets: readonly string[]; readonly feedforward: readonly string[] }>
> = {
  bert: { targets: ['key', 'value', 'output.dense'], feedforward: ['output.dense'] },
  gemma2: { targets: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  gemma3_text: { targets: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  gpt2: { targets: ['c_attn', 'mlp.c_proj'], feedforward: ['mlp.c_proj'] },
  gpt_neox: { targets: ['query_key_value', 'dense_4h_to_h'], feedforward: ['dense_4h_to_h'] },
  llama: { targets: ['k_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  mistral: { targets: ['k_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  mixtral: { targets: ['k_proj', 'v_proj', 'w2'], feedforward: ['w2'] }, // w2: once a layer of each expert
  qwen2: { targets: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
  qwen3: { targets: ['q_proj', 'v_proj', 'down_proj'], feedforward: ['down_proj'] },
};

/** The modules that PEFT chooses for an architecture. @throws Problem where it knows none */
export function defaultModules(option: 'targetModules' | 'feedforwardModules', architecture: string): ModuleNames {
  const found = Object.hasOwn(chosenModules, architecture) ? chosenModules[architecture] : undefined;
  if (found !== undefined) return option === 'targetModules' ? found.targets : found.feedforward;
  throw problem('peft-ia3', {
    what: `${option} is missing, and PEFT has no choice of its own for the architecture '${architecture}'`,
    expected: `it has one for ${Object.keys(chosenModules).join(', ')}`,
    fix:
      option === 'targetModules'
        ? "pass targetModules: ['k_proj', 'v_proj', 'down_proj']"
        : 'pass feedforwardModules, [] for none',
  });
}
