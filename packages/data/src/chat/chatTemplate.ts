import type { ChatMessage } from '../rows/formats/sample.ts';

/** A model's own way to write a conversation. */
export interface ChatTemplate {
  /** The Jinja template. */
  readonly source: string;
  /** Whether the template itself says which parts the assistant wrote, by `{% generation %}`. */
  readonly marksAnswers: boolean;
  /**
   * The conversation as one text, special tokens included: encode it without adding any.
   *
   * @throws Problem where the template refuses it, as some do when roles do not alternate
   */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
  /** The same, with the parts that the template marks as the assistant's. */
  renderMarked(messages: readonly ChatMessage[], options?: RenderOptions): MarkedText;
}

/** Options of {@link ChatTemplate.render}. */
export interface RenderOptions {
  /** Descriptions of functions that the assistant may call, as JSON schemas. @defaultValue none */
  readonly tools?: readonly unknown[];
  /** Whether to end where an answer of the assistant begins. @defaultValue false */
  readonly addGenerationPrompt?: boolean;
  /** Further values that the template reads, such as `enable_thinking`. @defaultValue none */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/** A text and parts of it. */
export interface MarkedText {
  /** The whole conversation as the template writes it. */
  readonly text: string;
  /** In order; none overlaps another. */
  readonly spans: readonly TextSpan[];
}

/** A part of a text, in units of JavaScript strings. */
export interface TextSpan {
  /** Where it begins, in UTF-16 units. */
  readonly start: number;
  /** Behind the last unit. */
  readonly end: number;
}
