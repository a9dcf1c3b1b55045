import { columnText, optionalText } from './columnText.ts';
import { isMessageList, messagesOf } from './messagesOf.ts';
import type { RowFormat } from './rowFormat.ts';
import { chatPrompt, textPrompt } from '../prompts/rowPrompt.ts';

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
  toPrompt(row) {
    const { prompt, completion } = row;
    if (!isMessageList(prompt))
      return textPrompt(columnText(row, 'prompt', 'may be empty'), optionalText(row, 'completion'));
    const asked = messagesOf(row, 'prompt');
    const given = completion === undefined || completion === null ? [] : messagesOf(row, 'completion').messages;
    return chatPrompt({ ...asked, messages: [...asked.messages, ...given] });
  },
};
