import { columnText } from './columnText.ts';
import { isMessageList, messagesOf } from './messagesOf.ts';
import type { RowFormat } from './rowFormat.ts';

/**
 * Rows with a prompt and what follows it: two texts, or two lists of messages as TRL has them, of which the second alone is
 * trained on.
 */
export const completionFormat: RowFormat = {
  name: 'completion',
  required: ['prompt', 'completion'],
  optional: ['tools'],
  aliases: {},
  meaning: 'a prompt and what follows it',
  toSample(row) {
    const { prompt, completion } = row;
    if (!isMessageList(prompt) && !isMessageList(completion)) {
      return {
        kind: 'completion',
        prompt: columnText(row, 'prompt', 'may be empty'),
        completion: columnText(row, 'completion'),
      };
    }
    const asked = messagesOf(row, 'prompt');
    const given = messagesOf({ completion }, 'completion');
    return { ...asked, messages: [...asked.messages.map(message => ({ ...message, weight: 0 })), ...given.messages] };
  },
};
