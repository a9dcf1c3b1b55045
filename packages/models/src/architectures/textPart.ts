import { problem } from '@dropbp/basics';
import type { Checkpoint } from '@dropbp/safetensors';
import type { RawConfig } from './configReader.ts';

/** Models that also read images: `model_type`, and that of the language model in them where the file does not say. */
const wholes: Readonly<Record<string, string | undefined>> = { gemma3: 'gemma3_text', mistral3: undefined };

/** Values of `model_type` whose language model is loaded, and nothing else, with what readers know them by. */
export const titlesWithText: Readonly<Record<string, string>> = {
  gemma3: 'Gemma 3 with images: its language model',
  mistral3: 'Mistral Small 3.1, Ministral 3 with images: their language model',
};

/** Parts of such a checkpoint that are not its language model. */
const otherParts = /^(model\.)?(vision_tower|multi_modal_projector)\./;

/**
 * The configuration of the language model: `text_config` of a model that reads images too, any other as it is.
 *
 * @param hasHead - whether the checkpoint has an output layer of its own. @defaultValue what the configuration says
 * @throws Problem if there is no `text_config`
 */
export function textConfig(config: RawConfig, hasHead?: boolean): RawConfig {
  const { model_type: type, text_config: text, tie_word_embeddings: tie, ...whole } = config;
  if (typeof type !== 'string' || !Object.hasOwn(wholes, type)) return config;
  if (typeof text !== 'object' || text === null) {
    throw problem('models', {
      what: `config.json: text_config of a '${type}' model is not usable`,
      got: text,
      expected: 'the configuration of its language model',
    });
  }
  const kept = ['bos_token_id', 'eos_token_id', 'pad_token_id', 'dtype', 'torch_dtype'];
  const outer = Object.fromEntries(Object.entries(whole).filter(([key]) => kept.includes(key)));
  // In these models the whole says whether the head is tied, and what the text's configuration says of it does not count.
  return {
    model_type: wholes[type],
    ...outer,
    ...text,
    tie_word_embeddings: hasHead === undefined ? (tie ?? true) : !hasHead,
  };
}

/** The tensors of the language model under the names that they have in a model of it alone; any other checkpoint as it is. */
export function textCheckpoint(config: RawConfig, checkpoint: Checkpoint): Checkpoint {
  if (!Object.hasOwn(wholes, String(config.model_type))) return checkpoint;
  const storedNames = new Map<string, string>();
  for (const name of checkpoint.tensors.keys()) {
    if (!otherParts.test(name)) storedNames.set(textName(name), name);
  }
  return {
    ...checkpoint,
    tensors: new Map([...storedNames].map(([name, stored]) => [name, checkpoint.tensors.get(stored)!])),
    read: (name, ...rest) => checkpoint.read(storedNames.get(name) ?? name, ...rest),
    close: () => checkpoint.close(),
  };
}

/** `language_model.model.norm.weight`, or `model.language_model.norm.weight` as version 5 has it in memory. */
function textName(name: string): string {
  return name.replace(/^language_model\.(model\.|lm_head\.)/, '$1').replace(/^model\.language_model\./, 'model.');
}
