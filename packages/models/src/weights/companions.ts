import type { ModelFiles } from './modelFiles.ts';

/** Files of a model besides its configuration and weights: what its tokenizer and its generation need. */
const companions: readonly string[] = [
  ...['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'tokenizer.model'],
  ...['vocab.json', 'merges.txt', 'vocab.txt', 'spiece.model', 'chat_template.jinja', 'chat_template.json'],
  'generation_config.json',
];

/** Those that are there, by name. */
export async function readCompanions(files: ModelFiles | undefined): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for (const name of (await files?.list()) ?? []) {
    if (companions.includes(name)) found.set(name, await files!.read(name));
  }
  return found;
}
