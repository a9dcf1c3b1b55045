import { problem } from '@dropbp/basics';
import type { Model } from '@dropbp/core';
import type { ChatTemplate, Dataset } from '@dropbp/data';

/**
 * The template that writes the rows, where they are conversations; undefined where they are not.
 *
 * @throws Problem where the model has none
 */
export async function templateFor(
  { name, format }: Pick<Dataset, 'name' | 'format'>,
  { source }: Pick<Model, 'source'>,
  load: () => Promise<ChatTemplate | undefined>,
): Promise<ChatTemplate | undefined> {
  if (format.name !== 'chat') return undefined;
  const template = await load();
  if (template !== undefined) return template;
  throw problem('cli', {
    what: `${name} holds conversations, and ${source} has no chat template to write them`,
    expected: 'a model that was trained to chat, such as one whose name ends in -Instruct',
    fix: 'take one, or put its chat_template.jinja into the folder of the model; rows of a prompt and a completion need none',
  });
}
