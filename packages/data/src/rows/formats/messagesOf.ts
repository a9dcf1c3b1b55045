import { isObject } from '@dropbp/basics';
import type { RowValue } from '../../sources/rowSource.ts';
import { isWellFormed } from './columnText.ts';
import { RowFault } from '../rowFault.ts';
import type { ChatMessage, ChatSample } from './sample.ts';

/** Whether a value is a list, or text that begins like the JSON of one: columns of CSV and Parquet hold text alone. */
export function looksLikeList(value: unknown): boolean {
  return Array.isArray(value) || (typeof value === 'string' && value.trimStart().startsWith('['));
}

/** Whether a value is a list, or the JSON of one of messages: a prompt may be JSON, and a completion too. */
export function isMessageList(value: unknown): boolean {
  if (!looksLikeList(value) || Array.isArray(value)) return Array.isArray(value);
  try {
    const messages = JSON.parse(value as string) as readonly unknown[];
    return (
      messages.length > 0 && messages.every(message => isObject(message) && ('role' in message || 'from' in message))
    );
  } catch {
    return false;
  }
}

/** @param column - what the row calls its messages. @throws RowFault where the columns hold no conversation */
export function messagesOf(row: RowValue, column = 'messages'): ChatSample {
  const messages = listOf(row[column], column);
  if (messages.length === 0) throw new RowFault({ what: 'there are no messages', expected: 'at least one' });
  const tools = row.tools === undefined || row.tools === null ? [] : listOf(row.tools, 'tools');
  return { kind: 'chat', messages: messages.map(messageOf), ...(tools.length > 0 && { tools }) };
}

/** ShareGPT's names of the roles. */
const roles: ReadonlyMap<string, string> = new Map([
  ['human', 'user'],
  ['gpt', 'assistant'],
]);

function messageOf(value: unknown, i: number): ChatMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RowFault({ what: `message ${i + 1} is no object`, got: value, expected: '{ role, content }' });
  }
  const { from, value: said, ...message } = withoutNulls(value as RowValue);
  const isShareGpt = message.role === undefined && from !== undefined && message.content === undefined;
  const named = isShareGpt
    ? { role: typeof from === 'string' ? (roles.get(from) ?? from) : from, content: said }
    : message;
  const { role, content, weight } = named as RowValue;
  if (typeof role !== 'string' || role === '') {
    throw new RowFault({ what: `message ${i + 1} has no role`, got: value, expected: "a role such as 'user'" });
  }
  if (content === undefined && Object.keys(named).length < 2) {
    throw new RowFault({ what: `message ${i + 1} says nothing`, got: value, expected: 'a content' });
  }
  if (content !== undefined && typeof content !== 'string' && !Array.isArray(content)) {
    throw new RowFault({ what: `the content of message ${i + 1} is no text`, got: content, expected: 'a string' });
  }
  if (typeof content === 'string' && !isWellFormed(content)) {
    throw new RowFault({ what: `the content of message ${i + 1} holds half a character`, got: content });
  }
  if (weight !== undefined && weight !== 0 && weight !== 1) {
    throw new RowFault({ what: `the weight of message ${i + 1} is not usable`, got: weight, expected: '0 or 1' });
  }
  return named as ChatMessage;
}

/** Parquet and other tables hold every key in every message, with nothing in those that it does not have. */
function withoutNulls(message: RowValue): RowValue {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null && value !== undefined));
}

function listOf(value: unknown, column: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value === undefined || value === null)
    throw new RowFault({ what: `the row has no '${column}'`, expected: 'a list' });
  try {
    const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : undefined;
    if (Array.isArray(parsed)) return parsed;
  } catch (cause) {
    throw new RowFault({ what: `'${column}' is no list, and no JSON of one`, got: value, expected: 'a list', cause });
  }
  throw new RowFault({ what: `'${column}' is no list`, got: value, expected: 'a list' });
}
