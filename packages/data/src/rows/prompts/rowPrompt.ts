import { RowFault } from '../rowFault.ts';
import type { ChatMessage, ChatSample } from '../formats/sample.ts';

/** What a row asks of a model, and the answer that it may hold. */
export type RowPrompt = TextPrompt | ChatPrompt;

/** A text to go on with. */
export interface TextPrompt {
  /** Tells prompts apart. */
  readonly kind: 'text';
  /** The text. */
  readonly prompt: string;
  /** Whether a space, which the reference does not hold, parts the prompt and what follows: that of a template. */
  readonly hasGap?: boolean;
  /** What should follow. */
  readonly reference?: string;
}

/** A conversation that waits for an answer. */
export interface ChatPrompt {
  /** Tells prompts apart. */
  readonly kind: 'chat';
  /** Up to the turn that is to be answered. */
  readonly messages: readonly ChatMessage[];
  /** Descriptions of functions that the assistant may call, as JSON schemas. */
  readonly tools?: readonly unknown[];
  /** The answer with which the row's conversation ends. */
  readonly reference?: string;
}

export function textPrompt(prompt: string, reference: string | undefined): TextPrompt {
  return { kind: 'text', prompt, ...(reference !== undefined && { reference }) };
}

/** A conversation without the answer with which it ends. @throws RowFault where no turn waits for one */
export function chatPrompt({ messages, tools }: ChatSample): ChatPrompt {
  const last = messages.at(-1);
  const asked = last?.role === 'assistant' ? messages.slice(0, -1) : messages;
  const end = asked.at(-1)?.role;
  if (end === undefined || end === 'assistant' || end === 'system') {
    throw new RowFault({
      what: 'the conversation holds no question to answer',
      got: messages.map(({ role }) => role),
      expected: 'messages that end with one of the user, or with an answer to it',
    });
  }
  const reference = last?.role === 'assistant' ? contentText(last.content) : undefined;
  return { kind: 'chat', messages: asked, ...(tools && { tools }), ...(reference !== undefined && { reference }) };
}

/** The text of a message: a string, or the texts among its parts. */
function contentText(content: unknown): string | undefined {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  const texts = content.map((part: unknown) => (part as { text?: unknown } | null)?.text);
  return texts.every(text => typeof text === 'string') ? texts.join('') : undefined;
}
