import { problem } from '@dropbp/basics';
import type { ChatTemplate, Dataset } from '@dropbp/data';
import type { Pretrained } from '@dropbp/setup';

/**
 * The template that writes the rows, where they are conversations; undefined where they are not.
 *
 * @throws Problem where the model has none
 */
export function templateFor(
  { name, format }: Pick<Dataset, 'name' | 'format'>,
  { model: { source }, chatTemplate }: Pick<Pretrained, 'model' | 'chatTemplate'>,
): ChatTemplate | undefined {
  if (format.name !== 'chat') return undefined;
  if (chatTemplate !== undefined) return chatTemplate;
  throw problem('cli', {
    what: `${name} holds conversations, and ${source} has no chat template to write them`,
    expected: 'a model that was trained to chat, such as one whose name ends in -Instruct',
    fix: 'take one, or put its chat_template.jinja into the folder of the model; rows of a prompt and a completion need none',
  });
}
