import { problem } from '@dropbp/basics';
import {
  peftValues,
  compareBases,
  writePeftConfig,
  type Model,
  type PeftConfigReader,
  type PeftConfigRules,
  type PeftFiles,
  type Provenance,
} from '@dropbp/core';
import { attentionsOf } from '../attentions.ts';

/** The one tensor in the files of these methods. */
export const PROMPT_KEY = 'prompt_embeddings';

/** What a method adds to the keys that all prompt methods have. */
interface OwnKeys {
  readonly peftType: string;
  readonly defaults: Readonly<Record<string, unknown>>;
}

/** The rules for a method's configuration. Source: PEFT 0.21.2, `config.py` and the methods' own. */
export function promptRules({ peftType, defaults }: OwnKeys): PeftConfigRules {
  const sizes = ['num_attention_heads', 'num_layers', 'num_transformer_submodules', 'num_virtual_tokens', 'token_dim'];
  return {
    package: 'peft-prefix',
    peftType,
    defaults: { modules_to_save: null, ...Object.fromEntries(sizes.map(key => [key, null])), ...defaults },
    known: [...sizes, ...Object.keys(defaults)],
    unsupported: { modules_to_save: 'whole modules are in the file' },
  };
}

/** The sizes of a model that the configurations name. */
export interface PromptSizes {
  readonly layers: number;
  readonly heads: number;
  /** Width of a virtual token. */
  readonly tokenDim: number;
}

/** Sizes of a prompt in front of the model. */
export function promptSizes(model: Model): PromptSizes {
  const attentions = attentionsOf(model);
  return { layers: attentions.length, heads: attentions[0].heads.heads, tokenDim: model.hiddenSize };
}

/** The number of virtual tokens. @throws Problem where it is missing, or the file is of an encoder with a decoder */
export function readVirtualTokens(reader: PeftConfigReader): number {
  const submodules = reader.optional('num_transformer_submodules', peftValues.count, 'an integer ≥ 1') ?? 1;
  if (submodules !== 1) {
    throw problem('peft-prefix', {
      what: 'num_transformer_submodules in adapter_config.json is not supported: the adapter is of an encoder with a decoder',
      got: submodules,
      expected: '1',
    });
  }
  return reader.read('num_virtual_tokens', peftValues.count, 'an integer ≥ 1');
}

/**
 * Compares the sizes in a configuration with the model's. Missing ones are the model's, as in PEFT.
 *
 * @throws Problem naming the size that differs
 */
export function checkSizes(reader: PeftConfigReader, sizes: PromptSizes, model: Model): void {
  const wanted = { num_layers: sizes.layers, num_attention_heads: sizes.heads, token_dim: sizes.tokenDim };
  for (const [key, expected] of Object.entries(wanted)) {
    const got = reader.optional(key, peftValues.count, 'an integer ≥ 1');
    if (got === undefined || got === expected) continue;
    const { base_model_name_or_path: configured } = reader.provenance;
    throw problem('peft-prefix', {
      what: `${key} in adapter_config.json is not the model's`,
      got,
      expected: String(expected),
      fix: compareBases(configured, model.source),
    });
  }
}

/** A configuration as PEFT writes it. */
export function promptConfig(
  model: Model,
  rules: PeftConfigRules,
  numVirtualTokens: number,
  sizes: PromptSizes,
  own: Readonly<Record<string, unknown>>,
  provenance?: Provenance,
): PeftFiles['config'] {
  const common = {
    num_attention_heads: sizes.heads,
    num_layers: sizes.layers,
    num_transformer_submodules: 1,
    num_virtual_tokens: numVirtualTokens,
    token_dim: sizes.tokenDim,
  };
  return writePeftConfig(model, rules, { ...common, ...own }, provenance);
}
