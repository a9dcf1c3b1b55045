import { looksLikeList, messagesOf } from './messagesOf.ts';
import type { RowFormat } from './rowFormat.ts';
import { chatPrompt } from '../prompts/rowPrompt.ts';

/** Rows of a conversation: `messages` of role and content, or the older `conversations` of from and value (ShareGPT). */
export const chatFormat: RowFormat = {
  name: 'chat',
  required: ['messages'],
  optional: ['tools'],
  aliases: { messages: ['conversations', 'conversation'] },
  meaning: 'a conversation: a list of messages with role and content',
  fits: row => looksLikeList(row.messages),
  toSample: row => messagesOf(row),
  toPrompt: row => chatPrompt(messagesOf(row)),
};
