/** What a row says to train on, whatever its columns were called. */
export type Sample = TextSample | CompletionSample | ChatSample;

/** A text to go on with. */
export interface TextSample {
  /** Tells samples apart. */
  readonly kind: 'text';
  /** The text, which is learned as a whole. */
  readonly text: string;
  /** Whether the text begins here, and is no later piece of a longer one. @defaultValue true */
  readonly begins?: boolean;
  /** Whether the text ends here. @defaultValue true */
  readonly ends?: boolean;
}

/** A prompt and what should follow it, word for word. */
export interface CompletionSample {
  /** Tells samples apart. */
  readonly kind: 'completion';
  /** What stands before. */
  readonly prompt: string;
  /** What follows the prompt, and is learned. */
  readonly completion: string;
}

/** A conversation, to be written by the model's chat template. */
export interface ChatSample {
  /** Tells samples apart. */
  readonly kind: 'chat';
  /** The conversation, from its beginning. */
  readonly messages: readonly ChatMessage[];
  /** Descriptions of functions that the assistant may call, as JSON schemas. */
  readonly tools?: readonly unknown[];
}

/** A message of a conversation. Further keys, such as `tool_calls`, are the template's to read. */
export interface ChatMessage {
  /** Who speaks: `'system'`, `'user'`, `'assistant'`, `'tool'`. */
  readonly role: string;
  /** Absent where a message holds something else, such as calls of tools. */
  readonly content?: unknown;
  /** 0 keeps an answer from being trained on. Templates do not see it. @defaultValue 1 */
  readonly weight?: number;
  readonly [key: string]: unknown;
}
