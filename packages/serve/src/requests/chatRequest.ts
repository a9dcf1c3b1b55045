import type { ChatMessage } from '@dropbp/data';
import { ApiError } from '../http/apiError.ts';
import { flag, ignored, integerFrom, only, readFields, text, unusable, type FieldsOf, type ReadField } from './fields.ts'; // prettier-ignore
import { samplingFields, type SamplingValues } from './sampling.ts';

const MOST_MESSAGES = 1024;

const roles: Readonly<Record<string, string>> = {
  ...{ system: 'system', user: 'user', assistant: 'assistant', tool: 'tool' },
  // OpenAI's newer name, which templates do not know.
  developer: 'system',
};

const role: ReadField<string> = (value, name) => {
  if (typeof value === 'string' && Object.hasOwn(roles, value)) return roles[value]!;
  throw unusable(name, value, Object.keys(roles).join(', '));
};

/** A text, or parts of one. */
const content: ReadField<string> = (value, name) => {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) throw unusable(name, value, 'a text, or a list of parts that are texts');
  const parts = value.map(
    (part, i) =>
      readFields<{ type?: string; text?: string }>(part, { type: partType, text }, `${name}.${i}.`).text ?? '',
  );
  return parts.join('');
};

const partType: ReadField<string> = (value, name) => {
  if (value === 'text') return value;
  throw unusable(name, value, "'text', as the server reads texts alone");
};

const messageFields: FieldsOf<Pick<ChatMessage, 'role'> & { readonly content?: string }> = {
  role,
  content,
  name: text,
  tool_call_id: text,
  refusal: only(),
  audio: only(),
  tool_calls: only([]),
};

const messages: ReadField<readonly ChatMessage[]> = (value, name) => {
  if (!Array.isArray(value) || value.length === 0 || value.length > MOST_MESSAGES) {
    throw unusable(name, value, `a list of 1 to ${MOST_MESSAGES} messages`);
  }
  return value.map((given, i): ChatMessage => {
    const message = readFields(given, messageFields, `${name}.${i}.`);
    if (message.role === undefined) throw unusable(`${name}.${i}.role`, undefined, Object.keys(roles).join(', '));
    return { ...message, role: message.role, content: message.content ?? '' };
  });
};

/** A request for the next message of a conversation. */
export interface ChatRequest extends SamplingValues {
  readonly messages: readonly ChatMessage[];
  readonly max_completion_tokens?: number;
}

const chatFields: FieldsOf<ChatRequest> = {
  ...samplingFields,
  messages,
  max_completion_tokens: integerFrom(1),
  logprobs: only(false),
  top_logprobs: only(0),
  response_format: only({ type: 'text' }),
  tools: only([]),
  tool_choice: only('none', 'auto'),
  parallel_tool_calls: flag,
  modalities: only(['text']),
  reasoning_effort: only('none'),
  store: only(false),
  metadata: ignored,
  service_tier: only('auto', 'default'),
  prompt_cache_key: ignored,
  safety_identifier: ignored,
};

/** @throws ApiError for what is not usable, or cannot be done */
export function readChatRequest(body: unknown): ChatRequest {
  const request = readFields<ChatRequest>(body, chatFields);
  if (request.messages !== undefined) return { ...request, messages: request.messages };
  throw new ApiError({
    what: 'the request has no messages',
    expected: "'messages', a list of objects with role and content",
    ...{ param: 'messages', code: 'missing_parameter' },
  });
}
